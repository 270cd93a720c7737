import Foundation

/// Resources of this process at one moment.
struct ProcessGauges: Encodable {
  /// Resident memory in megabytes, its largest value so far, open descriptors, threads.
  var megabytes: Double
  var peakMegabytes: Double
  var descriptors: Int
  var threads: Int
  /// Processor time so far, in seconds.
  var processorSeconds: Double

  static func now() -> ProcessGauges {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    func field(_ name: String) -> Int {
      let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
      return Int(line.split(whereSeparator: { $0 == "\t" || $0 == " " }).dropFirst().first ?? "") ?? 0
    }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    return ProcessGauges(
      megabytes: Double(field("VmRSS")) / 1024, peakMegabytes: Double(field("VmHWM")) / 1024,
      descriptors: (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0,
      threads: field("Threads"), processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }
}
