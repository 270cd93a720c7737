/// A failure of CUDA: what was called, what came back, what to do.
public struct CUDAError: Error, CustomStringConvertible, Sendable {
  /// What failed; new kinds may be added.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    private enum Value: String { case unavailable, device, outOfMemory, compilation, unsupported }
    private let value: Value
    /// A library or a device is not there.
    public static let unavailable = Code(value: .unavailable)
    /// A call failed.
    ///
    /// After a fault in a kernel every later call fails too: the process must be started anew.
    public static let device = Code(value: .device)
    /// A call found no memory left on the device for what CUDA itself needs: a kernel's code, its stack, a graph.
    ///
    /// Nothing is lost by it. Tensors that do not fit are a `BackendError` (`outOfMemory`).
    public static let outOfMemory = Code(value: .outOfMemory)
    /// A kernel could not be compiled for the device.
    public static let compilation = Code(value: .compilation)
    /// The device or the backend cannot do what was asked.
    public static let unsupported = Code(value: .unsupported)
    /// The kind in one word.
    public var description: String { value.rawValue }
  }
  /// The kind of failure.
  public let code: Code
  /// The failing call, such as "cuLaunchKernel(attention_64)"; "" where nothing was called.
  public let call: String
  /// What the call returned; 0 where nothing was called.
  public let status: Int
  /// What failed, and what to do.
  public let message: String

  /// A failure of a kind, in words.
  public init(_ code: Code, call: String = "", status: Int = 0, _ message: String) {
    self.code = code
    self.call = call
    self.status = status
    self.message = message
  }

  /// The call, what it returned, and the message.
  public var description: String { call.isEmpty ? message : "\(call) failed (\(status)): \(message)" }
}
