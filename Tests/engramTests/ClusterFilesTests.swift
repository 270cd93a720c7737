import Foundation
import TestSupport
import Testing
import Yams

/// The launchers in `cluster/`: they parse, and every option they use exists.
@Suite("Cluster files", .ownThread, .bounded)
struct ClusterFilesTests {
  private static let folder = EngramProcess.root.appendingPathComponent("cluster")

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.folder.appendingPathComponent(path), encoding: .utf8)
  }

  private func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> (
    status: Int32, output: String
  ) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.start()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  @Test("scripts are sound shell") func scripts() throws {
    for path in ["slurm/coordinator.sbatch", "slurm/workers.sbatch", "slurm/test.sh", "ssh/workers.sh"] {
      let result = try run("/bin/bash", ["-n", Self.folder.appendingPathComponent(path).path])
      #expect(result.status == 0, "\(path): \(result.output)")
      #expect(try text(path).contains("set -euo pipefail"), "\(path)")
    }
  }

  @Test("the options of all launchers exist") func options() throws {
    let files = [
      "slurm/coordinator.sbatch", "slurm/workers.sbatch", "ssh/workers.sh", "kubernetes/engram.yaml",
      "systemd/engram-coordinator.service", "systemd/engram-worker@.service",
    ]
    for (verb, help) in [("coordinator", ["coordinator"]), ("worker", ["worker", "run"])] {
      let known = try EngramProcess.run(help + ["--help"]).output
      for file in files {
        // A command may go on in the next line.
        let joined = try text(file).replacingOccurrences(of: "\\\n", with: " ")
        for line in joined.split(separator: "\n") where !line.hasPrefix("#") {
          guard line.contains("engram \(verb) ") || line.contains("engram, \(verb),") || line.contains("\" \(verb) ")
          else { continue }
          let words = line.split { " ,[]\"}".contains($0) }.filter { $0.hasPrefix("--") }
          #expect(!words.isEmpty, "\(file): \(line)")
          for option in words { #expect(known.contains("\(option) "), "\(file): \(option) of engram \(verb)") }
        }
      }
    }
  }

  @Test("Kubernetes: manifests parse, workers do not get the server's secret, mounts have their volumes")
  func manifests()
    throws
  {
    let documents = try Yams.load_all(yaml: text("kubernetes/engram.yaml")).compactMap { $0 as? [String: Any] }
    #expect(
      documents.map { $0["kind"] as? String } == ["PersistentVolumeClaim", "Service", "Deployment", "Deployment"])
    for document in documents where document["kind"] as? String == "Deployment" {
      let spec = try #require(document["spec"] as? [String: Any])
      let pod = try #require((spec["template"] as? [String: Any])?["spec"] as? [String: Any])
      let volumes = try #require(pod["volumes"] as? [[String: Any]])
      let containers = try #require(pod["containers"] as? [[String: Any]])
      let mounted = containers.flatMap { $0["volumeMounts"] as? [[String: Any]] ?? [] }.compactMap {
        $0["name"] as? String
      }
      #expect(Set(mounted) == Set(volumes.compactMap { $0["name"] as? String }))
      let keys = volumes.compactMap { ($0["secret"] as? [String: Any])?["items"] as? [[String: Any]] }.flatMap { $0 }
      let paths = keys.compactMap { $0["path"] as? String }
      let isWorker = (document["metadata"] as? [String: Any])?["name"] as? String == "engram-worker"
      #expect(paths.contains("server.secret") != isWorker && paths.contains("worker.secret") == isWorker)
      #expect(paths.contains("authorized/worker.public") != isWorker)
    }
  }

  /// `ENGRAM_SLURM=1`: a real Slurm of one node preempts workers (a minute; needs root and slurm-wlm).
  @Test("Slurm preempts and requeues", .enabled(if: ProcessInfo.processInfo.environment["ENGRAM_SLURM"] != nil))
  func slurm() throws {
    let script = Self.folder.appendingPathComponent("slurm/test.sh").path
    let result = try run(script, [EngramProcess.executable.path])
    print(result.output)
    #expect(result.status == 0 || (result.status == 77 && result.output.contains("skipped:")), "\(result.output)")
  }
}
