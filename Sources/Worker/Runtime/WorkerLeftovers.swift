import Foundation
import Glibc
import Study
import WireProtocol

/// What a worker that is gone has left in its state folder, for the process that owns the study.
package struct WorkerLeftovers {
  private let stateFolder: URL
  private let lock: Int32

  /// Takes the folder; nil while a worker uses it, or where there is none.
  package init?(stateFolder: URL) {
    self.stateFolder = stateFolder
    lock = open(stateFolder.appendingPathComponent("lock").path, O_RDWR | O_CLOEXEC)
    guard lock >= 0 else { return nil }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      return nil
    }
  }

  /// Gives the folder back.
  package func release() { close(lock) }

  /// Files of results that have not reached the coordinator.
  package var artifacts: [LocalArtifact] {
    let open = OpenResults(file: stateFolder.appendingPathComponent("results.json"))
    let waiting = UploadQueue(file: stateFolder.appendingPathComponent("uploads.json")).files
    return waiting + open.entries.sorted { $0.key < $1.key }.flatMap(\.value.files)
  }

  /// Removes the scratch folders of these trials, and forgets files that lie in them.
  ///
  /// - Returns: how many were removed.
  package func removeFolders(of trials: Set<Int>) -> Int {
    let folders = ScratchFolders(stateFolder: stateFolder)
    let present = trials.filter { FileManager.default.fileExists(atPath: folders.url($0).path) }
    for trial in present { folders.remove(trial) }
    return present.count
  }
}
