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
  package static func install() {
    CoordinatorSeams.install(
      CoordinatorSeams(
        store: { FailpointStore(base: $0) }, transport: { FailpointServer(LossyServer($0) ?? $0) }))
    EvaluatorSeam.install { FaultyEvaluator($0) }
  }
}
