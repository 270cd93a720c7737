import Foundation
import Processes

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
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    return ProcessGauges(
      megabytes: Double(ProcessMemory.resident.all) / 1_048_576,
      peakMegabytes: Double(ProcessMemory.peak) / 1_048_576,
      // As for the memory: 0 says that it cannot be read.
      descriptors: (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0,
      threads: ProcessMemory.field("Threads"), processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }
}
