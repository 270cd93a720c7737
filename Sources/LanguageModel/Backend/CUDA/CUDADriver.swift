/// An address in a device's memory.
typealias DevicePointer = UInt64

/// The functions of the CUDA driver that the backend uses (CUDA Driver API manual; `_v2` forms where there are two).
///
/// CUresult is an Int32, 0 = success; contexts, streams, events, modules and functions are opaque pointers.
struct CUDADriver: Sendable {
  typealias Handle = UnsafeMutableRawPointer
  typealias Status = Int32

  /// Constants of the driver's interface.
  enum Constant {
    static let outOfMemory: Status = 2
    static let attributeProcessors: Int32 = 16
    static let attributeMajor: Int32 = 75
    static let attributeMinor: Int32 = 76
    /// Shared memory of a block, opted in.
    static let attributeSharedMemory: Int32 = 97
    static let functionSharedMemory: Int32 = 8
    static let eventWithoutTiming: UInt32 = 2
    static let streamNonBlocking: UInt32 = 1
    /// CU_STREAM_CAPTURE_MODE_RELAXED: memory may be taken while a stream is captured.
    static let captureRelaxed: Int32 = 2
  }

  /// Capture of a stream as a graph, and its replay (CUDA 11.4 and later).
  struct Graphs: Sendable {
    let begin: @convention(c) @Sendable (Handle?, Int32) -> Status
    let end: @convention(c) @Sendable (Handle?, UnsafeMutablePointer<Handle?>) -> Status
    let instantiate: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, Handle?, UInt64) -> Status
    let destroyGraph: @convention(c) @Sendable (Handle?) -> Status
    let destroyExecutable: @convention(c) @Sendable (Handle?) -> Status
    let launch: @convention(c) @Sendable (Handle?, Handle?) -> Status

    /// Throws `CUDAError` (`unavailable`) where the driver is too old.
    init(_ symbols: CUDASymbols) throws(CUDAError) {
      func load<Function>(_ name: String, _ type: Function.Type = Function.self) throws(CUDAError) -> Function {
        try symbols.load(.driver, driverVersion: 0, name, as: type)
      }
      begin = try load("cuStreamBeginCapture_v2")
      end = try load("cuStreamEndCapture")
      instantiate = try load("cuGraphInstantiateWithFlags")
      destroyGraph = try load("cuGraphDestroy")
      destroyExecutable = try load("cuGraphExecDestroy")
      launch = try load("cuGraphLaunch")
    }
  }

  let initialize: @convention(c) @Sendable (UInt32) -> Status
  let driverVersion: @convention(c) @Sendable (UnsafeMutablePointer<Int32>) -> Status
  let deviceCount: @convention(c) @Sendable (UnsafeMutablePointer<Int32>) -> Status
  let device: @convention(c) @Sendable (UnsafeMutablePointer<Int32>, Int32) -> Status
  let deviceName: @convention(c) @Sendable (UnsafeMutablePointer<CChar>, Int32, Int32) -> Status
  let deviceMemory: @convention(c) @Sendable (UnsafeMutablePointer<Int>, Int32) -> Status
  let deviceAttribute: @convention(c) @Sendable (UnsafeMutablePointer<Int32>, Int32, Int32) -> Status
  let deviceBusID: @convention(c) @Sendable (UnsafeMutablePointer<CChar>, Int32, Int32) -> Status
  let retainContext: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, Int32) -> Status
  let releaseContext: @convention(c) @Sendable (Int32) -> Status
  let setContext: @convention(c) @Sendable (Handle?) -> Status
  let errorName: @convention(c) @Sendable (Status, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> Status
  let errorText: @convention(c) @Sendable (Status, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> Status
  let allocate: @convention(c) @Sendable (UnsafeMutablePointer<DevicePointer>, Int) -> Status
  let free: @convention(c) @Sendable (DevicePointer) -> Status
  let memoryInfo: @convention(c) @Sendable (UnsafeMutablePointer<Int>, UnsafeMutablePointer<Int>) -> Status
  let allocatePinned: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, Int, UInt32) -> Status
  let freePinned: @convention(c) @Sendable (Handle?) -> Status
  let copyToDevice: @convention(c) @Sendable (DevicePointer, UnsafeRawPointer, Int, Handle?) -> Status
  let copyToHost: @convention(c) @Sendable (UnsafeMutableRawPointer, DevicePointer, Int, Handle?) -> Status
  let copyOnDevice: @convention(c) @Sendable (DevicePointer, DevicePointer, Int, Handle?) -> Status
  let fill32: @convention(c) @Sendable (DevicePointer, UInt32, Int, Handle?) -> Status
  let fill16: @convention(c) @Sendable (DevicePointer, UInt16, Int, Handle?) -> Status
  let createStream: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, UInt32) -> Status
  let destroyStream: @convention(c) @Sendable (Handle?) -> Status
  let synchronize: @convention(c) @Sendable (Handle?) -> Status
  let createEvent: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, UInt32) -> Status
  let destroyEvent: @convention(c) @Sendable (Handle?) -> Status
  let recordEvent: @convention(c) @Sendable (Handle?, Handle?) -> Status
  let waitForEvent: @convention(c) @Sendable (Handle?) -> Status
  let loadModule: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, UnsafeRawPointer) -> Status
  let unloadModule: @convention(c) @Sendable (Handle?) -> Status
  let function: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, Handle?, UnsafePointer<CChar>) -> Status
  let setFunctionAttribute: @convention(c) @Sendable (Handle?, Int32, Int32) -> Status
  /// Since CUDA 12.4: offset and size of a kernel's parameter; nil with older drivers.
  let parameterInfo:
    (@convention(c) @Sendable (Handle?, Int, UnsafeMutablePointer<Int>, UnsafeMutablePointer<Int>) -> Status)?
  /// Nil with drivers that cannot capture a stream.
  let graphs: Graphs?
  let launch:
    @convention(c) @Sendable (
      Handle?, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, Handle?,
      UnsafeMutablePointer<UnsafeMutableRawPointer?>?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> Status

  /// Opens the driver's functions.
  ///
  /// Throws `CUDAError` (`unavailable`).
  init(_ symbols: CUDASymbols) throws(CUDAError) {
    func load<Function>(_ name: String, _ type: Function.Type = Function.self) throws(CUDAError) -> Function {
      try symbols.load(.driver, driverVersion: 0, name, as: type)
    }
    initialize = try load("cuInit")
    driverVersion = try load("cuDriverGetVersion")
    deviceCount = try load("cuDeviceGetCount")
    device = try load("cuDeviceGet")
    deviceName = try load("cuDeviceGetName")
    deviceMemory = try load("cuDeviceTotalMem_v2")
    deviceAttribute = try load("cuDeviceGetAttribute")
    deviceBusID = try load("cuDeviceGetPCIBusId")
    retainContext = try load("cuDevicePrimaryCtxRetain")
    releaseContext = try load("cuDevicePrimaryCtxRelease_v2")
    setContext = try load("cuCtxSetCurrent")
    errorName = try load("cuGetErrorName")
    errorText = try load("cuGetErrorString")
    allocate = try load("cuMemAlloc_v2")
    free = try load("cuMemFree_v2")
    memoryInfo = try load("cuMemGetInfo_v2")
    allocatePinned = try load("cuMemHostAlloc")
    freePinned = try load("cuMemFreeHost")
    copyToDevice = try load("cuMemcpyHtoDAsync_v2")
    copyToHost = try load("cuMemcpyDtoHAsync_v2")
    copyOnDevice = try load("cuMemcpyDtoDAsync_v2")
    fill32 = try load("cuMemsetD32Async")
    fill16 = try load("cuMemsetD16Async")
    createStream = try load("cuStreamCreate")
    destroyStream = try load("cuStreamDestroy_v2")
    synchronize = try load("cuStreamSynchronize")
    createEvent = try load("cuEventCreate")
    destroyEvent = try load("cuEventDestroy_v2")
    recordEvent = try load("cuEventRecord")
    waitForEvent = try load("cuEventSynchronize")
    loadModule = try load("cuModuleLoadData")
    unloadModule = try load("cuModuleUnload")
    function = try load("cuModuleGetFunction")
    setFunctionAttribute = try load("cuFuncSetAttribute")
    parameterInfo = try? load("cuFuncGetParamInfo")
    graphs = try? Graphs(symbols)
    launch = try load("cuLaunchKernel")
  }

  /// Throws `CUDAError` (`outOfMemory`, `device`) unless `status` is 0.
  func check(_ status: Status, _ call: @autoclosure () -> String) throws(CUDAError) {
    guard status != 0 else { return }
    throw CUDAError(
      status == Constant.outOfMemory ? .outOfMemory : .device, call: call(), status: Int(status), describe(status))
  }

  /// "CUDA_ERROR_…: what it means".
  func describe(_ status: Status) -> String {
    var name: UnsafePointer<CChar>?
    var text: UnsafePointer<CChar>?
    _ = errorName(status, &name)
    _ = errorText(status, &text)
    return [name, text].compactMap { $0.map { String(cString: $0) } }.joined(separator: ": ")
  }
}
