import Foundation
import Foundations
import Study
import WireProtocol

/// The workers that a running coordinator sees, left in the study's folder for whoever asks (`engram worker list`).
package struct WorkerRoster: Codable, Sendable, Hashable {
  /// A connected worker.
  package struct Entry: Codable, Sendable, Hashable {
    package var name: String
    package var host: String?
    /// Such as `cuda:0`.
    package var device: String?
    /// What its last heartbeat said of the device.
    package var status: DeviceStatus?
  }

  /// Seconds since 1970 when this was written.
  package var time: Double
  package var workers: [Entry]

  /// Seconds between two versions, and how old one may be before it means nothing.
  static let interval = 5
  static let patience = 15.0

  init(_ workers: some Sequence<CoordinatorCore.WorkerView>, time: Double) {
    self.time = time
    self.workers = workers.map {
      Entry(name: $0.identity.name, host: $0.identity.host, device: $0.identity.device, status: $0.device)
    }.sorted { $0.name < $1.name }
  }
}

extension ControlMailbox {
  private var rosterFile: URL { folder.appendingPathComponent("workers.json") }

  /// The workers of the coordinator that runs now; nil where none does.
  ///
  /// - Parameter now: seconds since 1970.
  package func roster(now: Double) -> WorkerRoster? {
    guard let data = try? Data(contentsOf: rosterFile), data.count <= 16 << 20,
      let roster = try? JSONDecoder().decode(WorkerRoster.self, from: data)
    else { return nil }
    return abs(now - roster.time) <= WorkerRoster.patience ? roster : nil
  }

  /// Leaves the roster; a folder that cannot be written costs the display only.
  func publish(_ roster: WorkerRoster) throws {
    try AtomicFile.write(JSONEncoder().encode(roster), to: rosterFile, isDurable: false)
  }

  /// An old roster is not believed anyway: a failure to remove it costs nothing.
  func withdrawRoster() { try? FileManager.default.removeItem(at: rosterFile) }
}
