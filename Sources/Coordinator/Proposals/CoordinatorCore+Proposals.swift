import BayesianOptimization
import Study

/// The next configurations.
extension CoordinatorCore {
  /// Asks for as many proposals as there are idle workers, and some ahead; one is computed at a time.
  mutating func propose() {
    // Also while nothing can be stored: the one answer is then held and tried again, which finds out when that is over.
    var interrupted: InterruptedProposal?
    switch proposals {
    case .idle: break
    case .interrupted(let question): interrupted = question
    case .computing, .held, .exhausted: return
    }
    guard phase == .serving, state.proposalsLeft > 0 else { return }
    let idle = workers.values.count { $0.isIdle && !isResting($0.identity.name) }
    let wanted = idle + settings.lookahead - state.queuedCount
    guard wanted > 0 else { return }
    proposals = .computing
    let pending = interrupted?.pending ?? state.pendingTrials
    let request = ProposalRequest(
      seed: state.definition.seed, index: state.header.nextProposal,
      observations: interrupted?.observations ?? state.observations,
      pending: pending.map { state.trials[$0].configuration }, warmStart: warmStart?.data)
    emit(
      .propose(
        ProposalTask(
          request: request, eventNumber: interrupted?.eventNumber ?? state.header.lastEvent, pending: pending,
          warmStartFrom: warmStart?.trial, trial: state.trials.count,
          // A question that is repeated is answered alone: what came after it has to be seen by the next one.
          wanted: interrupted == nil ? min(wanted, state.proposalsLeft) : 1)))
  }

  /// The sampler has answered.
  mutating func receive(_ outcome: ProposalOutcome, to task: ProposalTask) {
    switch proposals {
    case .held(let held, _) where held.request.index != task.request.index: return
    case .exhausted: break
    case .held, .interrupted, .idle, .computing: proposals = .idle
    }
    guard task.request.index == state.header.nextProposal, state.proposalsLeft > 0 else { return }
    // One that counts on proposals before it is of no use where another trial has taken one of their numbers.
    guard !task.isFollowing || task.trial == state.trials.count else { return }
    switch outcome {
    case .spaceExhausted:
      proposals = .exhausted
      log(.info, "every configuration of the space is known or under way")
    case .proposal(let proposal):
      do throws(StudyError) {
        let step = try state.enqueue(
          .search, configuration: proposal.configuration, key: key(proposal.configuration),
          provenance: Self.provenance(of: proposal, task), warmStart: proposal.warmStart, time: wallTime)
        guard commit(step) else {
          proposals = .held(task, outcome)
          return
        }
        if !proposal.fallbacks.isEmpty {
          log(
            .info,
            "trial \(state.trials.count - 1) was proposed by fallback: \(proposal.fallbacks.joined(separator: ", "))")
        }
      } catch {
        // The configuration has become known in the meantime: the next request contains it.
        log(.debug, error.message)
      }
    }
  }

  private static func provenance(of proposal: Proposal, _ task: ProposalTask) -> Provenance {
    Provenance(
      source: proposal.source, proposalIndex: task.request.index, fallbacks: proposal.fallbacks,
      eventNumber: task.eventNumber, pending: task.pending, warmStartFrom: task.warmStartFrom,
      hasWarmStart: proposal.warmStart != nil, acquisition: proposal.acquisition.flatMap { $0.isFinite ? $0 : nil },
      diagnostics: proposal.diagnostics.filter { $0.value.isFinite })
  }
}
