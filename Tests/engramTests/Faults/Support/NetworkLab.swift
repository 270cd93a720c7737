import Foundation
import TestSupport

/// Two network namespaces with a cable between them, and ways to cut it.
///
/// A direction is cut by a false permanent entry in the neighbour table: frames leave for an address that nobody has,
/// and get lost without a word, as behind a broken switch.
final class NetworkLab {
  enum Side: String, CaseIterable { case head, node }

  /// What is cut.
  enum Cut { case both, toHead, toNode }

  private let tag: String
  private let third: Int

  /// Makes the namespaces; nil, with the reason in `reason`, where this machine does not permit it.
  init?(reason: inout String) {
    tag = "\(getpid() % 100_000)\(Int.random(in: 10...99))"
    third = Int.random(in: 1...250)
    guard getuid() == 0 else {
      reason = "network namespaces need root"
      return nil
    }
    guard Self.tool != nil else {
      reason = "ip (iproute2) is not installed"
      return nil
    }
    var steps: [[String]] = Side.allCases.map { ["netns", "add", name($0)] }
    steps.append(["link", "add", link(.head), "type", "veth", "peer", "name", link(.node)])
    for side in Side.allCases {
      steps.append(["link", "set", link(side), "netns", name(side)])
      steps.append(["-n", name(side), "addr", "add", "\(address(side))/24", "dev", link(side)])
      steps.append(["-n", name(side), "link", "set", link(side), "up"])
      steps.append(["-n", name(side), "link", "set", "lo", "up"])
    }
    for step in steps {
      let (status, text) = Self.ip(step)
      if status != 0 {
        reason = "network namespaces are not permitted here: ip \(step.joined(separator: " ")): \(text)"
        remove()
        return nil
      }
    }
  }

  deinit { remove() }

  private func remove() { for side in Side.allCases { _ = Self.ip(["netns", "del", name(side)]) } }

  func name(_ side: Side) -> String { "engram-\(side.rawValue)-\(tag)" }
  private func link(_ side: Side) -> String { "eg\(side == .head ? "h" : "n")\(tag)" }
  func address(_ side: Side) -> String { "10.77.\(third).\(side == .head ? 1 : 2)" }

  /// Words before a command that is to run on a side.
  func launcher(_ side: Side) -> [String] { [Self.tool ?? "ip", "netns", "exec", name(side)] }

  /// Cuts the cable; returns whether the system took it.
  func cut(_ cut: Cut) -> Bool {
    var isDone = true
    if cut != .toNode { isDone = blind(.node, to: .head) && isDone }
    if cut != .toHead { isDone = blind(.head, to: .node) && isDone }
    return isDone
  }

  func heal() {
    for side in Side.allCases {
      let other: Side = side == .head ? .node : .head
      _ = Self.ip(["-n", name(side), "neigh", "del", address(other), "dev", link(side)])
      _ = Self.ip(["-n", name(side), "neigh", "flush", "dev", link(side)])
    }
  }

  private func blind(_ side: Side, to other: Side) -> Bool {
    let words = [
      "-n", name(side), "neigh", "replace", address(other), "lladdr", "02:00:00:00:de:ad", "dev", link(side), "nud",
      "permanent",
    ]
    return Self.ip(words).status == 0
  }

  private static let tool: String? = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"]
    .first { (path: String) in FileManager.default.isExecutableFile(atPath: path) }

  private static func ip(_ arguments: [String]) -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: tool ?? "/usr/sbin/ip")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    guard (try? process.start()) != nil else { return (1, "cannot be run") }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
