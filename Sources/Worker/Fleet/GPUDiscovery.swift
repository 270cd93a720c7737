import Foundation

/// What a machine says about its NVIDIA GPUs, as texts: read once, judged elsewhere.
package struct GPUEvidence: Equatable, Sendable {
  /// `CUDA_VISIBLE_DEVICES`; nil when it is not set.
  package var visibleDevices: String?
  /// First line of `/proc/driver/nvidia/version`; nil without the driver.
  package var driver: String?
  /// `/proc/driver/nvidia/gpus/*/information`, sorted by bus location.
  package var information: [String]
  /// Minor numbers of `/dev/nvidia*`.
  package var deviceNodes: [Int]

  package init(
    visibleDevices: String? = nil, driver: String? = nil, information: [String] = [], deviceNodes: [Int] = []
  ) {
    self.visibleDevices = visibleDevices
    self.driver = driver
    self.information = information
    self.deviceNodes = deviceNodes
  }

  /// Reads the files below `root` (`/` for this machine) and the environment.
  package static func read(
    root: URL = URL(fileURLWithPath: "/"), environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> GPUEvidence {
    let files = FileManager.default
    let proc = root.appendingPathComponent("proc/driver/nvidia")
    var evidence = GPUEvidence(visibleDevices: environment["CUDA_VISIBLE_DEVICES"])
    evidence.driver = (try? String(contentsOf: proc.appendingPathComponent("version"), encoding: .utf8))?
      .split(separator: "\n").first.map(String.init)
    let buses = (try? files.contentsOfDirectory(atPath: proc.appendingPathComponent("gpus").path)) ?? []
    evidence.information = buses.sorted().compactMap {
      try? String(contentsOf: proc.appendingPathComponent("gpus/\($0)/information"), encoding: .utf8)
    }
    let nodes = (try? files.contentsOfDirectory(atPath: root.appendingPathComponent("dev").path)) ?? []
    evidence.deviceNodes = nodes.compactMap { $0.hasPrefix("nvidia") ? Int($0.dropFirst(6)) : nil }.sorted()
    return evidence
  }
}

/// One device that a worker of its own shall use.
package struct GPUDevice: Equatable, Sendable {
  /// What `--device` is given: `cuda:N`, N counted as CUDA counts, among the visible devices.
  package var device: String
  /// Added to the worker's environment.
  package var environment: [String: String]
  /// What it is called in the worker's name and before its log lines.
  package var label: String
  /// For people, such as `NVIDIA H200`; empty where it is not known.
  package var model: String

  package init(device: String, environment: [String: String] = [:], label: String, model: String = "") {
    self.device = device
    self.environment = environment
    self.label = label
    self.model = model
  }
}

/// Which GPUs this process may use, from what the driver, the device files and CUDA_VISIBLE_DEVICES say.
package enum GPUDiscovery {
  package struct Failure: Error, Equatable, CustomStringConvertible {
    /// What `--gpus` said, where that is what is wrong.
    package var choice: String?
    package var reason: String
    package var description: String { (choice.map { "--gpus \($0): " } ?? "") + reason }
  }

  private struct GPU {
    var model: String
    var identifier: String
    var minor: Int?
  }

  /// The devices to use; never empty.
  ///
  /// - Parameters:
  ///   - choice: `all`, or numbers as CUDA counts them (`0,2`).
  /// - Throws: `Failure`, which says what was looked for and found.
  package static func devices(_ choice: String, _ evidence: GPUEvidence) throws -> [GPUDevice] {
    let visible = try visible(evidence)
    guard choice != "all" else { return visible }
    var chosen: [GPUDevice] = []
    for part in choice.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = Int(part.trimmingCharacters(in: .whitespaces)), number >= 0 else {
        throw Failure(choice: choice, reason: "write all, or numbers such as 0,2")
      }
      guard number < visible.count else {
        throw Failure(
          choice: choice,
          reason: "there is no GPU \(number); \(visible.count) visible, numbered from 0"
            + (evidence.visibleDevices.map { " among CUDA_VISIBLE_DEVICES='\($0)'" } ?? ""))
      }
      guard !chosen.contains(visible[number]) else {
        throw Failure(choice: choice, reason: "GPU \(number) stands twice")
      }
      chosen.append(visible[number])
    }
    return chosen
  }

  /// Physical GPUs: the driver's list, less those whose device file this machine (or container) does not have.
  private static func physical(_ evidence: GPUEvidence) -> [GPU] {
    let listed = evidence.information.map { text -> GPU in
      func value(_ key: String) -> String? {
        for line in text.split(separator: "\n") {
          guard let colon = line.firstIndex(of: ":") else { continue }
          guard line[..<colon].trimmingCharacters(in: .whitespaces) == key else { continue }
          return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return nil
      }
      return GPU(
        model: value("Model") ?? "", identifier: value("GPU UUID") ?? "",
        minor: value("Device Minor").flatMap { Int($0) })
    }
    // Some containers have the device files but not the driver's list.
    guard !listed.isEmpty else { return evidence.deviceNodes.map { GPU(model: "", identifier: "", minor: $0) } }
    return listed.filter { gpu in gpu.minor.map { evidence.deviceNodes.contains($0) } ?? true }
  }

  private static func visible(_ evidence: GPUEvidence) throws -> [GPUDevice] {
    let gpus = physical(evidence)
    guard !gpus.isEmpty else { throw nothing(evidence) }
    guard let text = evidence.visibleDevices else {
      return gpus.enumerated().map { index, gpu in
        GPUDevice(device: "cuda:\(index)", label: "cuda:\(index)", model: gpu.model)
      }
    }
    var devices: [GPUDevice] = []
    var seen: Set<String> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let entry = part.trimmingCharacters(in: .whitespaces)
      if entry.hasPrefix("MIG-") {
        // A process can use one such slice: each worker sees its own only.
        devices.append(
          GPUDevice(
            device: "cuda:0", environment: ["CUDA_VISIBLE_DEVICES": entry], label: "mig:\(devices.count)",
            model: entry))
        continue
      }
      // As CUDA does: the first entry that means nothing ends the list.
      guard let gpu = find(entry, gpus), seen.insert(entry).inserted else { break }
      devices.append(GPUDevice(device: "cuda:\(devices.count)", label: "cuda:\(devices.count)", model: gpu.model))
    }
    guard !devices.isEmpty else {
      throw Failure(
        reason: "\(gpus.count) GPU(s) here, but CUDA_VISIBLE_DEVICES='\(text)' shows none of them: "
          + "unset it, or ask the scheduler for GPUs (Slurm: --gres=gpu:N)")
    }
    return devices
  }

  private static func find(_ entry: String, _ gpus: [GPU]) -> GPU? {
    if let number = Int(entry) { return gpus.indices.contains(number) ? gpus[number] : nil }
    guard entry.hasPrefix("GPU-") else { return nil }
    // An abbreviation is enough where only one GPU fits it; without the driver's list any may.
    let fitting = gpus.filter { $0.identifier.hasPrefix(entry) }
    if gpus.allSatisfy({ $0.identifier.isEmpty }) { return gpus.first }
    return fitting.count == 1 ? fitting[0] : nil
  }

  private static func nothing(_ evidence: GPUEvidence) -> Failure {
    var found: [String] = []
    found.append(
      evidence.driver.map { "the NVIDIA driver is loaded (\($0))" } ?? "no NVIDIA driver (/proc/driver/nvidia/version)")
    let listed = evidence.information.count
    found.append("\(listed == 0 ? "no GPU" : "\(listed) GPU(s)") in /proc/driver/nvidia/gpus")
    found.append(evidence.deviceNodes.isEmpty ? "no device file /dev/nvidia0" : "device files \(evidence.deviceNodes)")
    found.append(evidence.visibleDevices.map { "CUDA_VISIBLE_DEVICES='\($0)'" } ?? "CUDA_VISIBLE_DEVICES is not set")
    let remedy =
      evidence.driver == nil
      ? "Install the driver, or in a container pass the GPUs on (docker run --gpus all); without a GPU use --device cpu"
      : "The driver is there but no device may be used: ask the scheduler or container for GPUs, or use --device cpu"
    return Failure(reason: "no GPU found: \(found.joined(separator: "; ")). \(remedy)")
  }
}
