import Experiment
import Foundation
import TestSupport
import Testing

/// Clones, array jobs and several homes: every worker has a name of its own without being told one.
@Suite("Default names of workers", .bounded) struct DefaultWorkerNameTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder("engram-names") }

  private func make(
    _ environment: [String: String] = [:], given: String? = nil, state: String? = nil, home: String = "a"
  ) throws -> WorkerName {
    let root = folder.url.appendingPathComponent(home).path
    return try WorkerName(
      given: given, state: state, study: "s", host: "localhost", label: "cpu",
      environment: environment.merging(["XDG_STATE_HOME": root]) { own, _ in own })
  }

  @Test("two machines of one image differ, and each keeps its name when it is started again") func clones() throws {
    let (first, again, other) = (try make(), try make(), try make(home: "b"))
    #expect(first.name.hasPrefix("localhost/cpu-"))
    #expect(first.name == again.name && first.folder == again.folder)
    #expect(first.identity != other.identity)
    #expect(first.identity.count == 16)
  }

  @Test("a given name is used as it is") func given() throws {
    #expect(try make(given: "node7").name == "node7")
    #expect(try make(given: "node7").folder.lastPathComponent == "node7")
  }

  @Test("the digits come from the folder that --state names") func state() throws {
    let path = folder.url.appendingPathComponent("mine").path
    let worker = try make(state: path)
    #expect(worker.folder.path == path)
    #expect(worker.name == "localhost/cpu-\(worker.identity.prefix(WorkerName.suffixDigits))")
  }

  @Test("the tasks and processes of Slurm's jobs differ") func slurm() throws {
    let task = ["SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "3", "SLURM_NTASKS": "1"]
    #expect(try make(task).name == "localhost/cpu/slurm-10_3")
    let process = ["SLURM_JOB_ID": "12", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"]
    #expect(try make(process).name == "localhost/cpu/slurm-12.2")
    #expect(WorkerName.slurm([:]) == nil)
    #expect(WorkerName.slurm(["SLURM_JOB_ID": ""]) == nil)
  }

  @Test("an incarnation begins with the folder's identity and is new every time") func incarnations() throws {
    let worker = try make()
    let (first, second) = (worker.incarnation(), worker.incarnation())
    #expect(first.hasPrefix("\(worker.identity).") && second.hasPrefix("\(worker.identity).") && first != second)
    #expect(first.utf8.count <= 64)
  }

  @Test("an identity that cannot be read is replaced") func damaged() throws {
    let worker = try make()
    try Data("nonsense".utf8).write(to: worker.folder.appendingPathComponent("identity"))
    let again = try make()
    #expect(again.identity.count == 16 && again.identity != worker.identity)
  }
}
