import CUDAEmulation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// Decoding steps as graphs: captured once for a number of rows, replayed for every later token.
  struct Recording {
    private let prompts = [[5, 9, 200], [7], [31, 9, 4, 100, 61, 62, 63]]

    private func replies(_ backend: any Backend, stops: Set<Int>, _ choice: GenerationOptions.Choice) throws -> [[Int]]
    {
      let model = try ModelFixtures.model("llama-gqa", on: backend)
      let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1], count: 2, rank: 4), seed: 3)
      var options = GenerationOptions(maximumNewTokens: 12, stopIDs: stops)
      options.choice = choice
      return try model.generate(prompts, options: options, adapters: [adapter]).map(\.ids)
    }

    /// Twelve tokens each: the first comes from the prompts, the second step by step, the third step is captured, and ten
    /// replays follow.
    @Test func oneGraphServesAllSteps() throws {
      try EmulatedCUDA.run {
        let (captures, launches) = (cuda_emulation_captures(), cuda_emulation_graph_launches())
        let own = try replies(try EmulatedCUDA.backend(.float32), stops: [], .greedy)
        #expect(cuda_emulation_captures() - captures == 1)
        #expect(cuda_emulation_graph_launches() - launches == 10)
        #expect(own == (try replies(try CPUBackend(precision: .float32, threads: 1), stops: [], .greedy)))
      }
    }

    /// Rows that end leave the batch; every number of rows has its own graph, and the numbers stay right.
    ///
    /// On a device that is late nothing is read before it is there.
    @Test(arguments: [false, true])
    func batchesThatShrink(_ isLate: Bool) throws {
      try EmulatedCUDA.run {
        let cpu = try CPUBackend(precision: .float32, threads: 1)
        let free = try replies(cpu, stops: [], .greedy)
        // Tokens that occur at different places of the replies.
        let stops: Set<Int> = [free[0][4], free[2][8]]
        let expected = try replies(cpu, stops: stops, .greedy)
        #expect(Set(expected.map(\.count)).count > 1, "the batch does not shrink")
        cuda_emulation_defer(isLate ? 1 : 0)
        let launches = cuda_emulation_graph_launches()
        #expect(try replies(try EmulatedCUDA.backend(.float32), stops: stops, .greedy) == expected)
        #expect(cuda_emulation_graph_launches() > launches)
      }
    }

    /// Drawn tokens come from the host: the graph ends with the logits.
    @Test func sampling() throws {
      try EmulatedCUDA.run {
        let choice = GenerationOptions.Choice.sample(temperature: 0.8, topK: 20, topP: 0.9, seed: 4)
        let launches = cuda_emulation_graph_launches()
        let own = try replies(try EmulatedCUDA.backend(.float32), stops: [], choice)
        #expect(cuda_emulation_graph_launches() - launches == 10)
        #expect(own == (try replies(try CPUBackend(precision: .float32, threads: 1), stops: [], choice)))
      }
    }

    /// What moves data or waits cannot be recorded; the backend says so and goes on.
    @Test func whatCannotBeRecorded() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32)
        let x = try backend.upload([1, 2, 3], rows: 1, columns: 3, kind: .activation)
        #expect(try backend.record { _ = try backend.download(x) } == nil)
        #expect(try backend.download(x) == [1, 2, 3])
        let error = #expect(throws: BackendError.self) {
          _ = try backend.record { _ = try backend.makeTensor(rows: 1 << 20, columns: 1 << 20, kind: .activation) }
        }
        #expect(error?.code == .outOfMemory)
        try backend.add(x, to: x)
        #expect(try backend.download(x) == [2, 4, 6])
      }
    }

    /// The memory of a recording is nobody else's while it lives, and everybody's afterwards.
    @Test func memoryOfARecording() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32)
        let x = try backend.upload([1, 2, 3], rows: 1, columns: 3, kind: .activation)
        let y = try backend.makeTensor(rows: 1, columns: 3, kind: .activation)
        func triple() throws {
          let scratch = try backend.makeTensor(rows: 1, columns: 3, kind: .activation)
          try backend.fill(scratch, with: 0)
          for _ in 0..<3 { try backend.add(x, to: scratch) }
          try backend.copyRows(scratch, fromRow: 0, count: 1, to: y, toRow: 0)
        }
        try triple()
        let used = backend.memory.used
        var recorded = try backend.record { try triple() }
        #expect(recorded != nil)
        #expect(backend.memory.used > used)
        // Would take the scratch tensor's block, were it free.
        let other = try backend.upload([7, 7, 7], rows: 1, columns: 3, kind: .activation)
        try backend.write([2, 4, 6], to: x)
        try recorded?.replay()
        #expect(try backend.download(y) == [6, 12, 18])
        #expect(try backend.download(other) == [7, 7, 7])
        // The compiler may release what is used no more.
        let during = withExtendedLifetime(recorded) { backend.memory.used }
        recorded = nil
        #expect(backend.memory.used < during)
      }
    }
  }
}
