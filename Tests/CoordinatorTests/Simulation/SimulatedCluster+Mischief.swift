import Foundation
import Study
import WireProtocol

@testable import Coordinator

/// What goes wrong, and the mending at the end.
extension SimulatedCluster {
  func makeMischief() {
    guard !isHealed else { return }
    plan(.mischief, in: anyTime(1_800))
    makeMoreMischief()
    let index = random.integer(below: workers.count - 1)
    let duration = anyTime(random.uniform() < 0.5 ? 300 : 3_600)
    switch random.integer(below: 9) {
    case 0: if core != nil { killCoordinator() }
    case 1:
      fire("worker killed")
      workers[index].isUp = false
      plan(.startWorker(index), in: duration)
    case 2:
      fire("worker preempted")
      if workers[index].isUp { feed(.stop("SIGTERM"), to: index) }
    case 3:
      fire("partition")
      blockedToServer[index] = now + duration
      blockedToWorker[index] = now + duration
    case 4:
      fire("one-way partition")
      if random.uniform() < 0.5 {
        blockedToServer[index] = now + duration
      } else {
        blockedToWorker[index] = now + duration
      }
    case 5:
      // Swizzle-clog: workers are cut off one after the other and come back in another order.
      fire("swizzle-clog")
      for other in workers.indices {
        blockedToServer[other] = now + anyTime(3_600)
        blockedToWorker[other] = blockedToServer[other]
      }
    case 6:
      fire("clock jump")
      wallOffset += (random.uniform() - 0.5) * 172_800
    case 7:
      fire("coordinator stopped")
      stoppedUntil = now + duration
    default:
      fire("disk full")
      diskFullUntil = now + duration
    }
  }

  /// Mischief with chance of its own: the first kinds keep their course.
  func makeMoreMischief() {
    let duration = Duration.seconds(-log(mischief.uniform()) * 1_800)
    switch mischief.integer(below: 12) {
    case 0:
      guard core != nil, !isDeleted else { return }
      fire("study deleted")
      isDeleted = true
      store.takeAway(StudyError(.notFound, "study.sqlite was deleted"))
      plan(.storeReturns, in: duration)
    case 1: replaceCoordinator()
    case 2, 3:
      let clone = workers.count - 1
      if workers[clone].isUp {
        workers[clone].isUp = false
      } else {
        fire("clone")
        plan(.startWorker(clone), in: .zero)
      }
    case 4:
      // When there is room again nobody has anything to send: every worker is new and waits for a trial.
      fire("disk full, nobody has a result")
      diskFullUntil = now + duration
      for index in workers.indices where !workers[index].isClone {
        workers[index].isUp = false
        workers[index].kept = [:]
        plan(.startWorker(index), in: duration * 0.5)
      }
    default: break
    }
  }

  func heal() {
    isHealed = true
    store.takeAway(nil)
    isDeleted = false
    if let clone = workers.indices.last { workers[clone].isUp = false }
    blockedToServer = [:]
    blockedToWorker = [:]
    diskFullUntil = .zero
    stoppedUntil = .zero
    store.replan { _ in nil }
    for index in workers.indices where !workers[index].isUp && !workers[index].isClone {
      plan(.startWorker(index), in: .seconds(1))
    }
    if core == nil { plan(.startCoordinator, in: .seconds(1)) }
  }

  /// An error that ends the coordinator: right where the study was taken away from it.
  func meet(_ error: StudyError) {
    if isReplaced, error.code == .sequenceConflict {
      fire("replaced coordinator ended")
      isReplaced = false
      return killCoordinator()
    }
    if isDeleted, error.code == .notFound {
      fire("coordinator without its file ended")
      return killCoordinator()
    }
    fatal = error
  }

  /// Another coordinator opens the study beside this one, and ends at once.
  func replaceCoordinator() {
    guard core != nil, !isDeleted, now >= stoppedUntil else { return }
    do {
      let settings = CoordinatorSettings(build: "b", budget: budget, lease: .seconds(600))
      _ = try CoordinatorCore(
        settings: settings, store: base, policy: ToyEvaluation.policy, sessionName: "second \(epoch)",
        key: ToySampler.key,
        now: now, wallTime: wall)
      isReplaced = true
      fire("second coordinator")
    } catch {
      fatal = error as? StudyError
    }
  }
}
