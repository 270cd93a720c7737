import RandomStreams

/// Continues prompts in batches: prompts are sorted by length and packed without padding, keys and values are kept,
/// finished rows leave the batch.
struct Generator {
  let decoder: Decoder
  let branches: BranchTable
  let options: GenerationOptions
  let stopIDs: Set<Int>
  /// Told every new token: number of its prompt, id.
  var onToken: ((Int, Int) throws -> Void)?

  /// A prompt that is being continued.
  private struct Row {
    let index: Int
    let slot: Int
    /// Tokens in the cache.
    var length: Int
    var ids: [Int] = []
    var stream: RandomStream?
    /// Behind the prompt and the tokens so far.
    var counter: PositionCounter
  }

  func run(_ prompts: [[Int]]) throws -> [Generation] {
    var results = [Generation](repeating: Generation(ids: [], end: .length), count: prompts.count)
    guard options.maximumNewTokens > 0 else { return results }
    let order = prompts.indices.sorted {
      prompts[$0].count != prompts[$1].count ? prompts[$0].count < prompts[$1].count : $0 < $1
    }
    var start = 0
    while start < order.count {
      let count = rows(from: start, order, prompts)
      let group = Array(order[start..<(start + count)])
      for (index, generation) in try continueGroup(group, prompts) { results[index] = generation }
      start += count
    }
    return results
  }

  /// How many of the remaining prompts go together: keys and values in 256 MiB or what the backend prefers, at most 64 rows.
  private func rows(from start: Int, _ order: [Int], _ prompts: [[Int]]) -> Int {
    let limit = max(1, options.batchSize ?? 64)
    let backend = decoder.backend
    let perToken = decoder.shape.layers * 2 * decoder.shape.attention.keyColumns * backend.cacheBytes
    let room = max(256 << 20, backend.preferredPassBytes)
    var count = 0
    while start + count < order.count, count < limit {
      let capacity = capacity(prompts[order[start + count]].count)
      if count > 0, (count + 1) * capacity * perToken > room, options.batchSize == nil { break }
      count += 1
    }
    return count
  }

  private func capacity(_ prompt: Int) -> Int { min(decoder.shape.maximumLength, prompt + options.maximumNewTokens) }

  private func continueGroup(_ group: [Int], _ prompts: [[Int]]) throws -> [(Int, Generation)] {
    let longest = group.map { prompts[$0].count }.max() ?? 0
    let cache = try KeyValueCache(
      slots: group.count, capacity: capacity(longest), shape: decoder.shape, backend: decoder.backend)
    var rows = group.enumerated().map { slot, index in
      var counter = PositionCounter(decoder.shape)
      for id in prompts[index] { _ = counter.position(of: id) }
      return Row(index: index, slot: slot, length: prompts[index].count, stream: stream(index), counter: counter)
    }
    var finished: [(Int, Generation)] = []
    var memory: StepMemory?
    var chosen = try prefill(&rows, prompts, cache)
    while true {
      guard !Task.isCancelled else { throw GenerationError(.cancelled, "generation was cancelled") }
      var remaining: [Row] = []
      for (row, token) in zip(rows, chosen) {
        var row = row
        row.ids.append(token)
        try onToken?(row.index, token)
        if let end = end(of: row, token) {
          finished.append((row.index, Generation(ids: row.ids, end: end)))
        } else {
          remaining.append(row)
        }
      }
      rows = remaining
      if rows.isEmpty { return finished }
      chosen = try step(&rows, &memory, cache)
    }
  }

  private func end(of row: Row, _ token: Int) -> Generation.End? {
    if stopIDs.contains(token) { return .stop }
    if row.ids.count >= options.maximumNewTokens { return .length }
    return row.length >= decoder.shape.maximumLength ? .context : nil
  }

  private func stream(_ index: Int) -> RandomStream? {
    guard case .sample(_, _, _, let seed) = options.choice else { return nil }
    return RandomStream(seed: seed, purpose: "generation", index: UInt64(index))
  }

  /// The first new token of each row; fills the cache.
  ///
  /// Many or long prompts go in parts.
  private func prefill(_ rows: inout [Row], _ prompts: [[Int]], _ cache: KeyValueCache) throws -> [Int] {
    var chosen: [Int] = []
    while chosen.count < rows.count {
      let start = chosen.count
      var end = start + 1
      var tokens = rows[start].length
      while end < rows.count, tokens + rows[end].length <= decoder.shape.tokensPerForwardPass {
        tokens += rows[end].length
        end += 1
      }
      let logits = try prefill(rows[start..<end].map { prompts[$0.index] }, rows[start..<end].map(\.slot), cache)
      chosen += try choose(logits, &rows[start..<end])
    }
    return chosen
  }

  /// Logits behind each prompt; fills the given slots of the cache.
  private func prefill(_ prompts: [[Int]], _ slots: [Int], _ cache: KeyValueCache) throws -> Tensor {
    let backend = decoder.backend
    let tokens = try backend.upload(indices: prompts.flatMap { $0.map { Int32($0) } })
    let positions = try backend.upload(indices: prompts.flatMap { decoder.shape.positions(of: $0) })
    let sequences = try PackedSequences(lengths: prompts.map(\.count), backend: backend)
    let pass = DecoderPass(
      positions: positions, sequences: sequences,
      rows: try backend.upload(indices: sequences.offsets.dropFirst().map { Int32($0 - 1) }), prunesEarly: true,
      mode: .prefill(cache, slots: slots), branches: branches)
    let stream = try decoder.embed(tokens, positions: positions)
    return try decoder.logits(try decoder.forward(stream, decoder.sublayers, pass), pass)
  }

  /// The next token of each row, from its last one.
  private func step(_ rows: inout [Row], _ memory: inout StepMemory?, _ cache: KeyValueCache) throws -> [Int] {
    let current: StepMemory
    if let known = memory, known.count == rows.count {
      current = known
    } else {
      // The old one's memory goes before the new one takes its own.
      memory = nil
      current = try StepMemory(rows.count, decoder.backend)
      memory = current
    }
    let (slots, lengths) = (rows.map(\.slot), rows.map(\.length))
    let positions = rows.indices.map { rows[$0].counter.position(of: rows[$0].ids[rows[$0].ids.count - 1]) }
    try current.write(
      tokens: rows.map { $0.ids[$0.ids.count - 1] }, positions: positions, slots: slots, lengths: lengths)
    let isGreedy = options.choice == .greedy
    let output = try current.run {
      let pass = DecoderPass(
        positions: current.positions, sequences: current.sequences, rows: nil, prunesEarly: false,
        mode: .step(cache, CachedRows(slots: slots, lengths: lengths, device: current.rows)), branches: branches)
      let stream = try decoder.embed(current.tokens, positions: current.positions)
      let logits = try decoder.logits(try decoder.forward(stream, decoder.sublayers, pass), pass)
      return StepOutput(logits: logits, best: isGreedy ? try best(of: logits) : nil)
    }
    for index in rows.indices { rows[index].length += 1 }
    if let best = output.best { return try download(best, rows[...]) }
    return try choose(output.logits, &rows[...])
  }

  /// The best token of each row.
  ///
  /// Throws where a row of logits is not finite: backends then give −1.
  private func download(_ best: Tensor, _ rows: ArraySlice<Row>) throws -> [Int] {
    let ids = try decoder.backend.download(indices: best).map(Int.init)
    for (row, id) in zip(rows, ids) where id < 0 {
      throw GenerationError(
        .notFinite, "prompt \(row.index): the logits are not finite after \(row.ids.count) new tokens")
    }
    return ids
  }

  private func best(of logits: Tensor) throws -> Tensor {
    let indices = try decoder.backend.makeTensor(rows: 1, columns: logits.rows, kind: .index)
    try decoder.backend.argmax(logits, into: indices)
    return indices
  }

  private func choose(_ logits: Tensor, _ rows: inout ArraySlice<Row>) throws -> [Int] {
    let backend = decoder.backend
    // Also where tokens are drawn: the choice among numbers that are none would be arbitrary.
    let best = try download(try best(of: logits), rows)
    guard case .sample(let temperature, let topK, let topP, _) = options.choice else { return best }
    let k = min(topK ?? logits.columns, logits.columns)
    let values = try backend.makeTensor(rows: logits.rows, columns: k, kind: .activation)
    let indices = try backend.makeTensor(rows: logits.rows, columns: k, kind: .index)
    try backend.topK(logits, values: values, indices: indices)
    let candidates = try backend.download(values)
    let ids = try backend.download(indices: indices)
    return rows.indices.enumerated().map { row, index in
      let rank = TokenSampler.draw(
        Array(candidates[(row * k)..<((row + 1) * k)]), temperature: temperature, topP: topP,
        uniform: rows[index].stream?.uniform() ?? 0.5)
      return Int(ids[row * k + rank])
    }
  }
}
