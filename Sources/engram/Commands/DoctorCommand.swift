import ArgumentParser
import BayesianOptimization
import CBLAS
import Console
import Coordinator
import Experiment
import Foundation
import LanguageModel
import Report
import Study
import StudyDatabase
import Transport

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What is installed, which SIMD path runs, is a database sound; and what to do.",
    discussion: """
      Everything a report of a problem needs: engram doctor STUDY --format json. Keys and data are not in it. Exit status \
      0 when nothing is wrong, 1 otherwise.
      """)
  @Argument(help: "A study to check too: integrity of its database and consistency of its history.") var study: String?
  @OptionGroup var runs: RunsOptions
  @OptionGroup var options: FormatOptions

  struct Finding: Encodable {
    var subject: String
    var isFine: Bool
    var found: String
    /// What to do; nil when nothing.
    var remedy: String?
  }

  func run() throws {
    var findings = [Self.program(), Self.system(), Self.blas(), Self.processor(), Self.gpu(), Self.cuda()]
    findings.append(Self.zeroMQ())
    findings.append(
      Finding(subject: "SQLite", isFine: true, found: SQLiteStudyStore.libraryVersion, remedy: nil))
    findings += [Self.memory(), disk(), Self.limits(), studies(), Self.keys(), Self.settings()]
    var status: ExitStatus?
    if let study { findings += check(study, &status) }
    if options.format == .json {
      Terminal.print(try JSON.pretty(findings))
    } else {
      var table = TextTable([("", .left), ("check", .left), ("found", .left), ("what to do", .left)])
      for finding in findings {
        table.add([finding.isFine ? "ok" : "!!", finding.subject, finding.found, finding.remedy ?? ""])
      }
      table.print(as: options.format)
    }
    if findings.contains(where: { !$0.isFine }) { throw ExitCode((status ?? .unexpected).rawValue) }
  }

  private static func blas() -> Finding {
    let isOpen = engram_blas_open()
    return Finding(
      subject: "OpenBLAS", isFine: isOpen,
      found: isOpen
        ? String(cString: engram_blas_configuration()) + ", kernels: " + String(cString: engram_blas_core())
        : String(cString: engram_blas_error()), remedy: isOpen ? nil : "apt-get install libopenblas-dev")
  }

  private static func processor() -> Finding {
    let backend = try? CPUBackend(precision: .automatic)
    return Finding(
      subject: "processor", isFine: backend != nil,
      found:
        "\(Self.processorModel), \(CPUBackend.processors) cores, best path \(CPUPath.best), "
        + "matrix products: \(backend?.kernels ?? "none")",
      remedy: backend == nil ? "the CPU backend cannot be opened; is OpenBLAS installed?" : nil)
  }

  private static func zeroMQ() -> Finding {
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

  private static func memory() -> Finding {
    let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
    let available = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable") }
      .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }.map { $0 >> 10 }
    let enough = available.map { $0 > 1024 } ?? true
    return Finding(
      subject: "memory", isFine: enough,
      found: "\(available.map { "\(StudySummary.grouped($0)) MiB free" } ?? "?") of "
        + "\(StudySummary.grouped(Int(Devices.memoryBytes >> 20))) MiB",
      remedy: enough ? nil : "the quickstart wants 1 GiB free: close other programs")
  }

  private func disk() -> Finding {
    let folder = FileManager.default.fileExists(atPath: runs.folder.path) ? runs.folder.path : "."
    let values = try? URL(fileURLWithPath: folder).resourceValues(forKeys: [.volumeAvailableCapacityKey])
    let free = values?.volumeAvailableCapacity.map { $0 >> 20 }
    let enough = free.map { $0 > 512 } ?? true
    return Finding(
      subject: "disk", isFine: enough, found: free.map { "\(StudySummary.grouped($0)) MiB free in \(folder)" } ?? "?",
      remedy: enough ? nil : "free some space: a full disk pauses a search")
  }
}
