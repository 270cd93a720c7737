import Foundation

/// Memory of this process as Linux counts it.
enum ProcessMemory {
  /// Resident now, in bytes: all pages; of them the process's own, and those of mapped files.
  static var resident: (all: Int, own: Int, files: Int) { (bytes("VmRSS"), bytes("RssAnon"), bytes("RssFile")) }
  /// Most that was ever resident, in bytes; pages of mapped files count.
  static var peak: Int { bytes("VmHWM") }

  private static func bytes(_ name: String) -> Int { field(name) * 1024 }

  /// A number of `/proc/self/status`; 0 where there is none.
  static func field(_ name: String) -> Int {
    // A measurement of its own: without the file the figures are 0, which nobody takes for a memory.
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
    // `VmRSS:<tab>   37228 kB`; a large number leaves no space between tab and digits.
    return Int(line?.filter { $0.isASCII && $0.isNumber } ?? "") ?? 0
  }
}
