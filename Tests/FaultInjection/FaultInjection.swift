import Coordinator
import Worker

/// Variables of the environment by which tests order faults of `engram-faulty`; `engram` knows none of them.
package enum FaultVariable: String, CaseIterable {
  /// See ``Failpoint``.
  case failpoint = "ENGRAM_FAILPOINT"
  /// See ``LossyServer``.
  case transport = "ENGRAM_TRANSPORT_FAULT"
  /// See ``TrainerFault``.
  case trainer = "ENGRAM_TRAINER_FAULT"
}

/// Puts the injectors of faults between the program and its store, its sockets and its evaluator.
package enum FaultInjection {
  /// Runs `program` with them.
  package static func perform(_ program: @Sendable () async -> Void) async {
    let seams = CoordinatorSeams(
      store: { FailpointStore(base: $0) }, transport: { FailpointServer(LossyServer($0) ?? $0) })
    await CoordinatorSeams.$current.withValue(seams) {
      await EvaluatorSeam.$wrap.withValue({ FaultyEvaluator($0) }) { await program() }
    }
  }
}
