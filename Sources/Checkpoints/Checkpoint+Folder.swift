import Foundation
import ModelFiles

extension Checkpoint {
  /// Refuses (`missing`) what is no folder of a model, and says what it is instead.
  static func requireFolder(_ directory: URL) throws {
    let manager = FileManager.default
    var isFolder: ObjCBool = false
    func has(_ name: String) -> Bool { manager.fileExists(atPath: directory.appendingPathComponent(name).path) }
    guard manager.fileExists(atPath: directory.path, isDirectory: &isFolder) else {
      let parts = directory.standardizedFileURL.pathComponents.filter { $0 != "/" }.suffix(2)
      throw ModelFileError(
        .missing,
        "no such folder. Nothing is downloaded here: if \(parts.joined(separator: "/")) is a model of the Hugging Face Hub, "
          + "run `hf download \(parts.joined(separator: "/")) --local-dir FOLDER` and give FOLDER", file: directory.path
      )
    }
    guard isFolder.boolValue else {
      throw ModelFileError(
        .missing, "is a file; give the folder that holds config.json and model.safetensors", file: directory.path)
    }
    guard !has("config.json") else { return }
    let remedy: String
    if has("adapter_config.json") {
      remedy = "this is an adapter; give it as the adapter, and its base here"
    } else if let snapshot = newestSnapshot(directory) {
      remedy = "did you mean \(snapshot.path)?"
    } else {
      remedy = "is this the folder of a Hugging Face model?"
    }
    throw ModelFileError(.missing, "no config.json; \(remedy)", file: directory.path)
  }

  /// The last snapshot in a folder of the Hub's cache (`models--NAME/snapshots/REVISION`).
  private static func newestSnapshot(_ directory: URL) -> URL? {
    let folder = directory.appendingPathComponent("snapshots", isDirectory: true)
    // A folder that cannot be listed gives no hint; the error is told anyway.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().last.map { folder.appendingPathComponent($0) }
  }

  /// What the model may be called outside this machine: its name on the Hub where the folder is one of the Hub's cache,
  /// else the folder's own name; never a path.
  public var publicName: String {
    let parts = directory.standardizedFileURL.pathComponents
    for part in parts.reversed() where part.hasPrefix("models--") {
      return String(part.dropFirst("models--".count)).replacing("--", with: "/")
    }
    guard let name = parts.last, name != "/" else { return "base" }
    return name
  }
}
