/// A product over device memory, row-major: C [m, n] = alpha · A · B + beta · C + bias.
struct MatrixProduct: Hashable {
  /// An operand: its address, the elements from one row to the next, and whether it lies transposed.
  struct Operand: Hashable {
    var address: DevicePointer
    var stride: Int
    var liesTransposed = false
  }
  var m: Int
  var n: Int
  var k: Int
  var alpha: Float = 1
  /// [m, k], as activations are stored; lies as [k, m] where transposed.
  var a: Operand
  /// [k, n], as activations are stored; lies as [n, k] where transposed.
  var b: Operand
  /// 0 overwrites C, whatever was there.
  var beta: Float = 0
  /// n numbers of C's type.
  var bias: DevicePointer?
  /// [m, n]; never transposed.
  var c: Operand
  /// Whether C has 32 bits where activations have 16.
  var isWide = false
}

/// cuBLASLt: the large products.
///
/// cuBLASLt is column-major; a row-major matrix is the transpose of a column-major one with the same stride, so that
/// Cᵀ = Bᵀ Aᵀ is computed: B is its first operand and A its second (cuBLAS manual, cublasLtMatmul).
final class MatrixProducts {
  private typealias Handle = UnsafeMutableRawPointer
  private typealias Create = @convention(c) @Sendable (UnsafeMutablePointer<Handle?>) -> Int32
  private typealias Destroy = @convention(c) @Sendable (Handle?) -> Int32
  private typealias SetAttribute = @convention(c) @Sendable (Handle?, Int32, UnsafeRawPointer, Int) -> Int32

  /// Constants of cuBLASLt's interface.
  private enum Constant {
    static let (float32, bfloat16): (Int32, Int32) = (0, 14)
    static let compute32: Int32 = 68
    static let (transposeFirst, transposeSecond): (Int32, Int32) = (3, 4)
    static let (epilogue, biasPointer, biasType): (Int32, Int32, Int32) = (7, 8, 26)
    static let (noEpilogue, biasEpilogue): (Int32, Int32) = (1, 4)
    static let workspace: Int32 = 1
    static let alignments: [Int32] = [5, 6, 7, 8]
    static let notSupported: Int32 = 15
    /// Size of cublasLtMatmulHeuristicResult_t and the places of its workspace size and state, in bytes.
    static let (resultSize, workspacePlace, statePlace) = (96, 64, 72)
  }

  private struct Functions: Sendable {
    let create: Create
    let destroy: Destroy
    let createOperation: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, Int32, Int32) -> Int32
    let destroyOperation: Destroy
    let setOperation: SetAttribute
    let createLayout: @convention(c) @Sendable (UnsafeMutablePointer<Handle?>, Int32, UInt64, UInt64, Int64) -> Int32
    let destroyLayout: Destroy
    let createPreference: Create
    let destroyPreference: Destroy
    let setPreference: SetAttribute
    let findAlgorithm:
      @convention(c) @Sendable (
        Handle?, Handle?, Handle?, Handle?, Handle?, Handle?, Handle?, Int32, UnsafeMutableRawPointer,
        UnsafeMutablePointer<Int32>
      ) -> Int32
    let multiply:
      @convention(c) @Sendable (
        Handle?, Handle?, UnsafePointer<Float>, UnsafeRawPointer?, Handle?, UnsafeRawPointer?, Handle?,
        UnsafePointer<Float>, UnsafeRawPointer?, Handle?, UnsafeMutableRawPointer?, Handle?, UnsafeRawPointer?,
        UnsafeMutableRawPointer?, Int, Handle?
      ) -> Int32
  }

  /// What a product looks like, apart from where its numbers are.
  private struct Shape: Hashable {
    var m: Int, n: Int, k: Int
    var a: Int, b: Int, c: Int
    var aLiesTransposed: Bool, bLiesTransposed: Bool
    var isWide: Bool, hasBias: Bool
    /// Of the first operand, the second one, the result as it is read and as it is written, as cuBLASLt counts them.
    var alignments: SIMD4<UInt32>
  }

  /// Descriptors and the chosen algorithm of one shape; nil = cuBLASLt has none.
  private final class Plan {
    var operation: Handle?
    var layouts: [Handle?] = []
    var algorithm: [UInt8] = []
    var workspace = 0
    private let functions: Functions

    init(_ functions: Functions) { self.functions = functions }
    deinit {
      for layout in layouts { _ = functions.destroyLayout(layout) }
      if operation != nil { _ = functions.destroyOperation(operation) }
    }
  }

  private let functions: Functions
  private let context: CUDAContext
  private let kernels: KernelLibrary
  private let bfloat16: Bool
  private let workspace: CUDABuffer
  private static let workspaceBytes = 32 << 20
  private var handle: Handle?
  private var plans: [Shape: Plan?] = [:]

  /// Opens cuBLASLt.
  ///
  /// Throws `CUDAError` (`unavailable`, `device`), `BackendError` (`outOfMemory`).
  init(_ symbols: CUDASymbols, memory: CUDAMemory, kernels: KernelLibrary, bfloat16: Bool) throws {
    context = memory.context
    self.kernels = kernels
    self.bfloat16 = bfloat16
    let version = context.driverVersion
    func load<Function>(_ name: String, _ type: Function.Type = Function.self) throws(CUDAError) -> Function {
      try symbols.load(.products, driverVersion: version, "cublasLt" + name, as: type)
    }
    functions = Functions(
      create: try load("Create"), destroy: try load("Destroy"), createOperation: try load("MatmulDescCreate"),
      destroyOperation: try load("MatmulDescDestroy"), setOperation: try load("MatmulDescSetAttribute"),
      createLayout: try load("MatrixLayoutCreate"), destroyLayout: try load("MatrixLayoutDestroy"),
      createPreference: try load("MatmulPreferenceCreate"), destroyPreference: try load("MatmulPreferenceDestroy"),
      setPreference: try load("MatmulPreferenceSetAttribute"), findAlgorithm: try load("MatmulAlgoGetHeuristic"),
      multiply: try load("Matmul"))
    workspace = try CUDABuffer(bytes: Self.workspaceBytes, memory: memory)
    try context.enter()
    try check(functions.create(&handle), "cublasLtCreate")
  }

  deinit {
    plans = [:]
    if handle != nil, (try? context.enter()) != nil { _ = functions.destroy(handle) }
  }

  /// cuBLASLt's version, such as "13.4.1".
  static func version(_ symbols: CUDASymbols, driverVersion: Int) throws(CUDAError) -> String {
    let get: @convention(c) @Sendable () -> Int = try symbols.load(
      .products, driverVersion: driverVersion, "cublasLtGetVersion", as: (@convention(c) @Sendable () -> Int).self)
    let number = get()
    return "\(number / 10_000).\(number / 100 % 100).\(number % 100)"
  }

  /// Computes a product.
  func compute(_ product: MatrixProduct) throws(CUDAError) {
    try context.enter()
    let shape = Shape(
      m: product.m, n: product.n, k: product.k, a: product.a.stride, b: product.b.stride, c: product.c.stride,
      aLiesTransposed: product.a.liesTransposed, bLiesTransposed: product.b.liesTransposed, isWide: product.isWide,
      hasBias: product.bias != nil,
      alignments: SIMD4(
        Self.alignment(product.b.address), Self.alignment(product.a.address), Self.alignment(product.c.address),
        // cuBLASLt has no word for the bias's alignment; what is promised of the result is taken to hold for both.
        min(Self.alignment(product.c.address), product.bias.map(Self.alignment) ?? 256)))
    guard let plan = try plan(shape) else { return try computePlainly(product) }
    if var bias = product.bias {
      try check(
        functions.setOperation(plan.operation, Constant.biasPointer, &bias, 8), "cublasLtMatmulDescSetAttribute(bias)")
    }
    var (alpha, beta) = (product.alpha, product.beta)
    let c = UnsafeMutableRawPointer(bitPattern: UInt(product.c.address))
    let status = functions.multiply(
      handle, plan.operation, &alpha, UnsafeRawPointer(bitPattern: UInt(product.b.address)), plan.layouts[0],
      UnsafeRawPointer(bitPattern: UInt(product.a.address)), plan.layouts[1], &beta, c, plan.layouts[2], c,
      plan.layouts[2], plan.algorithm, UnsafeMutableRawPointer(bitPattern: UInt(workspace.address)), plan.workspace,
      context.stream)
    try check(status, "cublasLtMatmul(\(product.m) x \(product.n) x \(product.k))")
  }

  /// The largest power of two up to 256 that divides an address.
  static func alignment(_ address: DevicePointer) -> UInt32 { UInt32(min(256, address & (~address &+ 1))) }

  private func plan(_ shape: Shape) throws(CUDAError) -> Plan? {
    if let known = plans[shape] { return known }
    // Batches of ever new lengths make ever new shapes: forget them all now and then.
    if plans.count >= 4096 { plans = [:] }
    let plan = try makePlan(shape)
    plans[shape] = .some(plan)
    return plan
  }

  private func makePlan(_ shape: Shape) throws(CUDAError) -> Plan? {
    let type = bfloat16 ? Constant.bfloat16 : Constant.float32
    let resultType = shape.isWide ? Constant.float32 : type
    let plan = Plan(functions)
    try check(
      functions.createOperation(&plan.operation, Constant.compute32, Constant.float32), "cublasLtMatmulDescCreate")
    func set(_ attribute: Int32, _ value: Int32) throws(CUDAError) {
      var value = value
      try check(functions.setOperation(plan.operation, attribute, &value, 4), "cublasLtMatmulDescSetAttribute")
    }
    try set(Constant.transposeFirst, shape.bLiesTransposed ? 1 : 0)
    try set(Constant.transposeSecond, shape.aLiesTransposed ? 1 : 0)
    try set(Constant.epilogue, shape.hasBias ? Constant.biasEpilogue : Constant.noEpilogue)
    if shape.hasBias { try set(Constant.biasType, resultType) }
    func layout(_ type: Int32, _ rows: Int, _ columns: Int, _ stride: Int) throws(CUDAError) {
      var layout: Handle?
      try check(
        functions.createLayout(&layout, type, UInt64(rows), UInt64(columns), Int64(stride)),
        "cublasLtMatrixLayoutCreate(\(rows) x \(columns), \(stride))")
      plan.layouts.append(layout)
    }
    // As columns first: a row of memory is a column.
    try shape.bLiesTransposed ? layout(type, shape.k, shape.n, shape.b) : layout(type, shape.n, shape.k, shape.b)
    try shape.aLiesTransposed ? layout(type, shape.m, shape.k, shape.a) : layout(type, shape.k, shape.m, shape.a)
    try layout(resultType, shape.n, shape.m, shape.c)
    return try choose(plan, shape) ? plan : nil
  }

  /// Asks cuBLASLt for its fastest algorithm; false when it has none.
  private func choose(_ plan: Plan, _ shape: Shape) throws(CUDAError) -> Bool {
    var preference: Handle?
    try check(functions.createPreference(&preference), "cublasLtMatmulPreferenceCreate")
    defer { _ = functions.destroyPreference(preference) }
    var bytes = UInt64(Self.workspaceBytes)
    try check(
      functions.setPreference(preference, Constant.workspace, &bytes, 8), "cublasLtMatmulPreferenceSetAttribute")
    // Without this cuBLASLt takes 256 bytes for granted.
    for (index, attribute) in Constant.alignments.enumerated() {
      var value = shape.alignments[index]
      try check(
        functions.setPreference(preference, attribute, &value, 4), "cublasLtMatmulPreferenceSetAttribute")
    }
    var result = [UInt8](repeating: 0, count: Constant.resultSize)
    var found: Int32 = 0
    let status = result.withUnsafeMutableBytes { bytes in
      bytes.baseAddress.map {
        functions.findAlgorithm(
          handle, plan.operation, plan.layouts[0], plan.layouts[1], plan.layouts[2], plan.layouts[2], preference, 1, $0,
          &found)
      } ?? 1
    }
    if status == Constant.notSupported || (status == 0 && found == 0) { return false }
    try check(status, "cublasLtMatmulAlgoGetHeuristic(\(shape.m) x \(shape.n) x \(shape.k))")
    // Nothing else of a result counts unless its own state is 0.
    let state = result.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Constant.statePlace, as: Int32.self) }
    guard state == 0 else { return false }
    plan.workspace = result.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Constant.workspacePlace, as: Int.self) }
    plan.algorithm = Array(result.prefix(Constant.workspacePlace))
    return true
  }

  /// The same with a plain kernel.
  func computePlainly(_ product: MatrixProduct) throws(CUDAError) {
    try kernels.launch(
      .product, grid: ((product.n + 15) / 16, (product.m + 15) / 16, 1), threads: 256,
      [
        .int(product.m), .int(product.n), .int(product.k), .float(product.alpha), .pointer(product.a.address),
        .long(product.a.stride), .int(product.a.liesTransposed ? 1 : 0), .pointer(product.b.address),
        .long(product.b.stride), .int(product.b.liesTransposed ? 1 : 0), .float(product.beta), .pointer(product.bias),
        .pointer(product.c.address), .long(product.c.stride), .int(product.isWide ? 1 : 0),
      ])
  }

  private func check(_ status: Int32, _ call: @autoclosure () -> String) throws(CUDAError) {
    guard status != 0 else { return }
    let meaning =
      switch status {
      case 1: "cuBLAS is not initialised (is there a device, and a driver new enough for this cuBLAS?)"
      case 3: "cuBLAS could not allocate memory"
      case 7: "invalid value"
      case 8: "this cuBLAS does not know the device"
      case 13: "the execution failed"
      case 15: "not supported"
      default: "cuBLAS status \(status)"
      }
    throw CUDAError(status == 3 ? .outOfMemory : .device, call: call(), status: Int(status), meaning)
  }
}
