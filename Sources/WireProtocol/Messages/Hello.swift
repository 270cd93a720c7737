import Study

/// The protocol's versions.
///
/// A frame carries the lowest version that has all of its fields, so that older builds understand everything that they
/// could. A frame of an unknown version is refused with both numbers.
///
/// - 1: the first.
/// - 2: `device` in heartbeats.
package enum ProtocolVersion {
  /// The newest version that this build speaks.
  package static let current: Int64 = 2
  /// The oldest one.
  package static let oldest: Int64 = 1
}

/// Digests of everything that must be equal on both sides for a result to mean the same.
package struct Fingerprints: Sendable, Equatable, Hashable {
  /// SHA-256 (hexadecimal) of the base, of the data, and of the settings that change a trial's value.
  package var base: String
  package var data: String
  package var settings: String

  package init(base: String, data: String, settings: String) {
    self.base = base
    self.data = data
    self.settings = settings
  }

  /// Takes `base`, `data` and `settings` of a study's definition; a missing one is empty.
  package init(_ fingerprints: [String: String]) {
    self.init(
      base: fingerprints["base"] ?? "", data: fingerprints["data"] ?? "", settings: fingerprints["settings"] ?? "")
  }

  /// The parts that differ, each with both values: empty when everything agrees.
  ///
  /// - Parameter other: the coordinator's fingerprints, where `self` is the worker's.
  package func differences(from other: Fingerprints) -> [String] {
    [("base", base, other.base), ("data", data, other.data), ("settings", settings, other.settings)]
      .filter { $0.1 != $0.2 }
      .map { "\($0.0): worker has \($0.1.prefix(16)), study has \($0.2.prefix(16))" }
  }
}

/// What a worker can do.
package struct Capabilities: Sendable, Equatable {
  /// Memory of the device in bytes (main memory for a CPU).
  package var memoryBytes: Int64
  /// Processor cores or, on a GPU, 1.
  package var cores: Int
  /// The evaluator it runs: `memory`, `command`, `analytic`.
  package var evaluator: String

  package init(memoryBytes: Int64, cores: Int, evaluator: String) {
    self.memoryBytes = memoryBytes
    self.cores = cores
    self.evaluator = evaluator
  }
}

/// Who a worker is and what it holds.
package struct Hello: Sendable, Equatable {
  /// Name of the worker, stable across restarts (`host/device/slot`).
  package var worker: String
  /// Unique per process of the worker.
  package var incarnation: String
  /// Name of the study it wants to work for.
  package var study: String
  /// Version of the program and hash of its binary; a difference is recorded, not refused.
  package var build: String
  package var fingerprints: Fingerprints
  package var host: String
  /// The device, such as `cpu` or `cuda:0`.
  package var device: String
  package var pid: Int
  package var capabilities: Capabilities
  /// Identifier of the study that `running` and `retained` belong to (from its last welcome); tokens mean nothing in
  /// another study of the same name.
  package var studyIdentifier: String?
  /// Token of the attempt it is executing at this moment.
  package var running: AttemptToken?
  /// Tokens of attempts whose outcome it keeps because it has not been acknowledged.
  package var retained: [AttemptToken]

  package init(
    worker: String, incarnation: String, study: String, build: String, fingerprints: Fingerprints, host: String,
    device: String, pid: Int, capabilities: Capabilities, studyIdentifier: String? = nil, running: AttemptToken? = nil,
    retained: [AttemptToken] = []
  ) {
    self.worker = worker
    self.incarnation = incarnation
    self.study = study
    self.build = build
    self.fingerprints = fingerprints
    self.host = host
    self.device = device
    self.pid = pid
    self.capabilities = capabilities
    self.studyIdentifier = studyIdentifier
    self.running = running
    self.retained = retained
  }
}

/// The coordinator's answer to an accepted hello.
package struct Welcome: Sendable, Equatable {
  /// Name of the study.
  package var study: String
  /// Its random identifier: attempts of another study are of no use any more.
  package var studyIdentifier: String
  /// Unique per process of the coordinator: a change tells the worker that the coordinator was restarted.
  package var session: String
  /// How often the worker is to send a heartbeat, in milliseconds.
  package var heartbeatMilliseconds: Int
  /// How long an attempt's lease lasts without heartbeat, in milliseconds.
  package var leaseMilliseconds: Int
  /// What the operator should know, such as a different build.
  package var warnings: [String]

  package init(
    study: String, studyIdentifier: String, session: String, heartbeatMilliseconds: Int, leaseMilliseconds: Int,
    warnings: [String] = []
  ) {
    self.study = study
    self.studyIdentifier = studyIdentifier
    self.session = session
    self.heartbeatMilliseconds = heartbeatMilliseconds
    self.leaseMilliseconds = leaseMilliseconds
    self.warnings = warnings
  }
}

/// Why a worker or one of its frames is refused.
package struct Refusal: Sendable, Equatable {
  /// Reasons a program may act on.
  package enum Code: String, Sendable, CaseIterable {
    /// Another version of the protocol.
    case protocolVersion
    /// Base, data or settings differ: the worker must not go on.
    case fingerprints
    /// The coordinator serves another study.
    case study
    /// Another live worker has the same name.
    case duplicateName
    /// The worker was quarantined after repeated hardware failures.
    case quarantined
    /// A frame broke the protocol.
    case malformed
    /// The coordinator does not know this connection: say hello.
    case helloExpected
  }
  package var code: Code
  /// What differs, and the remedy.
  package var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Whether the worker should stop instead of trying again.
  package var isFinal: Bool {
    switch code {
    case .protocolVersion, .fingerprints, .study, .duplicateName, .quarantined: true
    case .malformed, .helloExpected: false
    }
  }
}
