/// Why an acquisition function could not be maximised.
package enum AcquisitionError: Error, Hashable, CustomStringConvertible {
  /// The native code gave up; −1 means that it found no memory.
  case native(status: Int)
  /// No unseen configuration has a value above zero.
  case noFiniteValue

  package var description: String {
    switch self {
    case .native(let status):
      "the acquisition function could not be computed (native status \(status); -1 is a lack of memory)"
    case .noFiniteValue: "the acquisition function has no finite value"
    }
  }
}
