import BayesianOptimization
import Coordinator
import Foundation
import Foundations
import Study
import StudyDatabase

extension StoredStudy {
  /// Computes a trial's proposal again from the history it was computed from.
  ///
  /// - Returns: a sentence that says that the same comes out.
  /// - Throws: `CommandError` where it does not.
  package func replay(_ number: Int) throws -> String {
    let replay = try ProposalReplay(trial: number, in: observer)
    guard case .proposal(let proposal) = sampler.propose(replay.request) else {
      throw CommandError(.unexpected, "the sampler says that the space is exhausted; trial \(number) says otherwise")
    }
    guard let then = record.trials.first(where: { $0.number == number })?.configuration else {
      throw CommandError(.notFound, "no trial \(number); the study has \(record.trials.count)")
    }
    guard try space.key(proposal.configuration) == space.key(then) else {
      throw CommandError(
        .unexpected, "trial \(number) was \(then); now \(proposal.configuration) comes out. Another program version?")
    }
    return "trial \(number): the same proposal comes out (\(then))"
  }

  /// Leases the next trial, and asks again for so long while none is ready.
  package func ask(worker: String, wait: Duration) throws -> SteeringReply {
    let limit = ContinuousClock.now + wait
    // The next trial comes with a commit.
    let changes = FolderWatch(folder.url)
    while true {
      do {
        return try control.carryOut(.ask(worker: worker))
      } catch let error as StudyError where error.code == .busy && ContinuousClock.now < limit {
        changes.wait(ContinuousClock.now.duration(to: limit) / Duration.seconds(1))
      }
    }
  }
}
