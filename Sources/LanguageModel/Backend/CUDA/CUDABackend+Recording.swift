// Recorded operations: a captured stream as a graph (CUDA Driver API manual, "Graph Management").

extension CUDABackend {
  /// Errors of a capture: something in it cannot be recorded (CUDA_ERROR_STREAM_CAPTURE_…).
  private static let captureErrors = 900...908

  package func record(_ body: () throws -> Void) throws -> (any RecordedOperations)? {
    guard let graphs = context.driver.graphs else { return nil }
    try context.enter()
    try context.driver.check(graphs.begin(context.stream, CUDADriver.Constant.captureRelaxed), "cuStreamBeginCapture")
    pool.beginRecording()
    var failure: (any Error)?
    do { try body() } catch { failure = error }
    let blocks = pool.endRecording()
    // The capture ends whatever happened: the stream is good for nothing else before.
    var graph: CUDADriver.Handle?
    let status = graphs.end(context.stream, &graph)
    defer { if graph != nil { _ = graphs.destroyGraph(graph) } }
    do {
      if let failure { throw failure }
      try context.driver.check(status, "cuStreamEndCapture")
      var executable: CUDADriver.Handle?
      try context.driver.check(graphs.instantiate(&executable, graph, 0), "cuGraphInstantiate")
      return CUDARecording(graphs, executable, blocks, pool)
    } catch {
      pool.endUse(blocks)
      // A graph that finds no memory is done without, too.
      if let error = error as? CUDAError, Self.captureErrors.contains(error.status) || error.code == .outOfMemory {
        return nil
      }
      throw error
    }
  }
}

/// A graph that can be launched, with the memory that its work uses.
final class CUDARecording: RecordedOperations {
  private let graphs: CUDADriver.Graphs
  private let executable: CUDADriver.Handle?
  private let blocks: Set<DevicePointer>
  private let memory: CUDAMemory

  init(
    _ graphs: CUDADriver.Graphs, _ executable: CUDADriver.Handle?, _ blocks: Set<DevicePointer>, _ memory: CUDAMemory
  ) {
    self.graphs = graphs
    self.executable = executable
    self.blocks = blocks
    self.memory = memory
  }

  deinit {
    // A graph that still runs is not to be destroyed.
    if (try? memory.context.synchronize()) != nil { _ = graphs.destroyExecutable(executable) }
    memory.endUse(blocks)
  }

  func replay() throws {
    try memory.context.enter()
    try memory.context.driver.check(graphs.launch(executable, memory.context.stream), "cuGraphLaunch")
  }
}
