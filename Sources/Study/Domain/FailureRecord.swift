/// Why an attempt failed: what happened, where, and what to do next.
package struct FailureRecord: Hashable, Sendable, Codable {
  /// The class that decides the policy.
  package var failureClass: FailureClass
  /// What went wrong, in one or two sentences.
  package var message: String
  /// Name of the host it happened on.
  package var host: String?
  /// Device in the form `cpu` or `cuda:0`.
  package var device: String?
  /// Memory of that device in bytes; an out-of-memory trial is not tried again on devices of this size or less.
  package var deviceBytes: Int64?
  /// Exit status of the trainer process, if it exited.
  package var exitStatus: Int?
  /// Signal that ended the trainer process, if one did.
  package var signal: Int?
  /// The last lines of the trainer's log, oldest first.
  package var logLines: [String]
  /// What the operator can do about it.
  package var nextStep: String?

  package init(
    failureClass: FailureClass, message: String, host: String? = nil, device: String? = nil,
    deviceBytes: Int64? = nil, exitStatus: Int? = nil, signal: Int? = nil, logLines: [String] = [],
    nextStep: String? = nil
  ) {
    self.failureClass = failureClass
    self.message = message
    self.host = host
    self.device = device
    self.deviceBytes = deviceBytes
    self.exitStatus = exitStatus
    self.signal = signal
    self.logLines = logLines
    self.nextStep = nextStep
  }

  private enum CodingKeys: String, CodingKey {
    case failureClass = "class"
    case message, host, device, deviceBytes, exitStatus, signal, logLines, nextStep
  }
}
