import Foundation

/// Memory of this process as Linux counts it; 0 elsewhere.
enum ProcessMemory {
  /// Resident now, in bytes: all pages; of them the process's own, and those of mapped files.
  static var resident: (all: Int, own: Int, files: Int) { (value("VmRSS"), value("RssAnon"), value("RssFile")) }
  /// Most that was ever resident, in bytes; pages of mapped files count.
  static var peak: Int { value("VmHWM") }

  private static func value(_ name: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
    // `VmRSS:<tab>   37228 kB`; a large number leaves no space between tab and digits.
    let digits = line?.filter { $0.isASCII && $0.isNumber } ?? ""
    return Int(digits).map { $0 * 1024 } ?? 0
  }
}
