import CBLAS
import Foundation
import LanguageModel
import Report
import Transport

/// What there is to say about libraries, processor, memory and disk.
extension Diagnosis {
  static func blas() -> Finding {
    let isOpen = engram_blas_open()
    return Finding(
      subject: "OpenBLAS", isFine: isOpen,
      found: isOpen
        ? String(cString: engram_blas_configuration()) + ", kernels: " + String(cString: engram_blas_core())
        : String(cString: engram_blas_error()), remedy: isOpen ? nil : "apt-get install libopenblas-dev")
  }

  static func processor() -> Finding {
    // Why is said by the finding on OpenBLAS.
    let backend = try? CPUBackend(precision: .automatic)
    return Finding(
      subject: "processor", isFine: backend != nil,
      found:
        "\(Self.processorModel), \(CPUBackend.processors) cores, best path \(CPUPath.best), "
        + "matrix products: \(backend?.kernels ?? "none")",
      remedy: backend == nil ? "the CPU backend cannot be opened; is OpenBLAS installed?" : nil)
  }

  static func zeroMQ() -> Finding {
    do {
      try ZeroMQLibrary.check()
      let version = ZeroMQLibrary.version
      return Finding(
        subject: "ZeroMQ", isFine: true,
        found: "\(version.major).\(version.minor).\(version.patch), CURVE \(ZeroMQLibrary.hasCurve ? "yes" : "no")",
        remedy: ZeroMQLibrary.hasCurve ? nil : "TCP needs a libzmq with CURVE (Debian's has it)")
    } catch {
      return Finding(
        subject: "ZeroMQ", isFine: false, found: "\(error)",
        remedy: "install libzmq 4.3.3 or later: apt-get install libzmq3-dev")
    }
  }

  static func memory() -> Finding {
    let available = read("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("MemAvailable") }
      .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }.map { $0 >> 10 }
    let enough = available.map { $0 > 1024 } ?? true
    return Finding(
      subject: "memory", isFine: enough,
      found: "\(available.map { "\(StudySummary.grouped($0)) MiB free" } ?? "?") of "
        + "\(StudySummary.grouped(Int(Devices.memoryBytes >> 20))) MiB",
      remedy: enough ? nil : "the quickstart wants 1 GiB free: close other programs")
  }

  static func disk(_ studies: StudiesFolder) -> Finding {
    let folder = FileManager.default.fileExists(atPath: studies.url.path) ? studies.url.path : "."
    // Not known: "?" stands in the table.
    let values = try? URL(fileURLWithPath: folder).resourceValues(forKeys: [.volumeAvailableCapacityKey])
    let free = values?.volumeAvailableCapacity.map { $0 >> 20 }
    let enough = free.map { $0 > 512 } ?? true
    return Finding(
      subject: "disk", isFine: enough, found: free.map { "\(StudySummary.grouped($0)) MiB free in \(folder)" } ?? "?",
      remedy: enough ? nil : "free some space: a full disk pauses a search")
  }
}
