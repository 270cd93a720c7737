import Foundation
import LanguageModel
import Processes
import Report
import Study
import StudyDatabase
import Transport
import Worker

/// What there is to say about the machine and the user's settings.
extension Diagnosis {
  static func program() -> Finding {
    let path = OwnProgram.path
    return Finding(
      subject: "engram", isFine: true,
      found: "\(BuildInformation.version), \(path), schema \(StudyDatabaseSchema.current)",
      remedy: nil)
  }

  static func system() -> Finding {
    let release = read("/etc/os-release")
    let name = release.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
      .map { $0.dropFirst(12).filter { $0 != "\"" } }
    var information = utsname()
    uname(&information)
    let kernel = withUnsafeBytes(of: &information.release) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
    let isContainer =
      FileManager.default.fileExists(atPath: "/.dockerenv")
      || FileManager.default.fileExists(atPath: "/run/.containerenv")
      || ProcessInfo.processInfo.environment["KUBERNETES_SERVICE_HOST"] != nil
    return Finding(
      subject: "system", isFine: true,
      found: "\(name ?? "Linux"), kernel \(kernel)\(isContainer ? ", in a container" : "")", remedy: nil)
  }

  static var processorModel: String {
    read("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":").last }.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
  }

  /// No GPU is nothing wrong: the CPU works everywhere.
  static func gpu() -> Finding {
    do {
      let devices = try GPUDiscovery.devices("all", .read())
      let names = devices.map { "\($0.label) \($0.model)".trimmingCharacters(in: .whitespaces) }
      return Finding(subject: "GPU", isFine: true, found: names.joined(separator: ", "), remedy: nil)
    } catch {
      let evidence = GPUEvidence.read()
      let isExpected = evidence.driver == nil && evidence.deviceNodes.isEmpty
      return Finding(
        subject: "GPU", isFine: isExpected, found: isExpected ? "none (no NVIDIA driver)" : "\(error)",
        remedy: isExpected ? nil : "see the text; workers on the CPU need none")
    }
  }

  /// The libraries that the GPU backend opens at run time.
  static func cuda() -> Finding {
    let diagnosis = CUDADiagnosis.make()
    let isExpected = diagnosis.hasDriver || !GPUEvidence.read().deviceNodes.isEmpty
    return Finding(
      subject: "CUDA", isFine: diagnosis.isUsable || !isExpected,
      found: isExpected ? diagnosis.text : "none (no NVIDIA driver)",
      remedy: diagnosis.isUsable || !isExpected ? nil : "see the text; workers on the CPU need none of it")
  }

  /// What containers and schedulers allow: they kill without a word.
  static func limits() -> Finding {
    var files = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
    let group =
      read("/proc/self/cgroup").split(separator: "\n").first { $0.hasPrefix("0::") }
      .map { String($0.dropFirst(3)) } ?? "/"
    func value(_ name: String) -> String? {
      for folder in ["/sys/fs/cgroup\(group == "/" ? "" : group)", "/sys/fs/cgroup"] {
        let text = read("\(folder)/\(name)").trimmingCharacters(in: .whitespacesAndNewlines)
        if !text.isEmpty { return text }
      }
      return nil
    }
    var found = ["\(files.rlim_cur) open files"]
    let memory = value("memory.max").flatMap { Int64($0) }
    if let memory { found.append("memory of this control group \(StudySummary.grouped(Int(memory >> 20))) MiB") }
    if let processors = value("cpu.max"), !processors.hasPrefix("max") { found.append("cpu.max \(processors)") }
    let isFine = files.rlim_cur >= 1024 && (memory ?? .max) > 1 << 30
    return Finding(
      subject: "limits", isFine: isFine, found: found.joined(separator: ", "),
      remedy: isFine ? nil : "raise them: ulimit -n 4096; a container or job with at least 1 GiB")
  }

  static func studies(_ studies: StudiesFolder) -> Finding {
    let names = studies.names()
    let shown = names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
    let isWritable = FileManager.default.isWritableFile(
      atPath: FileManager.default.fileExists(atPath: studies.url.path) ? studies.url.path : ".")
    let warning = StudyFolder(studies.url).warning
    return Finding(
      subject: "studies", isFine: isWritable && warning == nil,
      found:
        "\(names.count) in \(studies.url.path)\(names.isEmpty ? "" : ": \(shown)")\(warning.map { ". \($0)" } ?? "")",
      remedy: isWritable
        ? warning.map { _ in "use a local disk: --runs DIR" } : "the folder cannot be written: --runs DIR")
  }

  static func keys() -> Finding {
    let store = KeyStore()
    guard FileManager.default.fileExists(atPath: store.folder.path) else {
      return Finding(
        subject: "keys", isFine: true, found: "none in \(store.folder.path) (only TCP needs them)", remedy: nil)
    }
    do {
      let entries = try store.list()
      // A pair that cannot be read is what is looked for.
      let loose = entries.filter(\.hasSecret).map(\.name).filter { (try? store.pair(name: $0)) == nil }
      return Finding(
        subject: "keys", isFine: loose.isEmpty,
        found: "\(entries.count { $0.hasSecret }) pairs, \(entries.count { $0.isAuthorized }) admitted in "
          + store.folder.path + (loose.isEmpty ? "" : "; unusable: \(loose.joined(separator: ", "))"),
        remedy: loose.isEmpty ? nil : "chmod 600 the secret files, or make new keys")
    } catch {
      return Finding(subject: "keys", isFine: false, found: "\(error)", remedy: "see engram keys list")
    }
  }

  /// Variables that change what runs; whatever could be a secret is not shown.
  static func settings() -> Finding {
    let prefixes = ["ENGRAM_", "OPENBLAS_", "OMP_", "CUDA_", "XDG_CACHE", "XDG_STATE", "XDG_CONFIG", "SLURM_JOB_ID"]
    let shown = ProcessInfo.processInfo.environment.sorted { $0.key < $1.key }.filter { entry in
      prefixes.contains { entry.key.hasPrefix($0) }
    }.map { entry -> String in
      let isSecret = ["TOKEN", "SECRET", "PASSWORD", "_KEY"].contains { entry.key.hasSuffix($0) }
      return "\(entry.key)=\(isSecret ? "…" : entry.value)"
    }
    return Finding(
      subject: "settings", isFine: true, found: shown.isEmpty ? "no variables set" : shown.joined(separator: " "),
      remedy: nil)
  }

  /// The study in a line, with its last failure.
  static func describe(_ record: StudyRecord) -> Finding {
    let summary = StudySummary(record)
    let states = TrialState.allCases.filter { summary.count($0) > 0 }.map { "\(summary.count($0)) \($0.rawValue)" }
    var found =
      "\(record.definition.name) (\(record.definition.identifier)), made by \(record.definition.madeBy), "
      + "\(record.header.lastEvent) events, trials: \(states.joined(separator: ", "))"
    let failures = record.trials.flatMap(\.attempts).filter { $0.failure != nil }
    if let last = failures.max(by: { ($0.endedTime ?? 0) < ($1.endedTime ?? 0) }), let failure = last.failure {
      found +=
        "; \(failures.count) failed attempts, the last (trial \(last.trial) on \(last.worker.name)): "
        + "\(failure.failureClass): \(failure.message)"
    }
    let isFine = record.header.quarantined.isEmpty && record.header.stopReason != .failing
    return Finding(
      subject: "study", isFine: isFine, found: found,
      remedy: isFine
        ? nil
        : record.header.quarantined.isEmpty
          ? "too many trials failed in a row: see engram trial list, then engram trial retry N"
          : "out of service: \(record.header.quarantined.sorted().joined(separator: ", ")); engram worker reinstate NAME"
    )
  }

  // What a system does not have, or does not show, is left out of the findings.
  static func read(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
}
