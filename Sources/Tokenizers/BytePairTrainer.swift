import Foundation
import ModelFiles

/// Learns a byte-level BPE vocabulary from text; deterministic, and equal to the reference's trainer.
///
/// Sennrich et al. 2016 (arXiv:1508.07909) over bytes with GPT-2's pre-tokenizer: repeatedly the most frequent adjacent
/// pair becomes a token, of equally frequent ones the pair with the smaller ids. Ids: special tokens, the 256 bytes
/// in order of their characters, merges in order of learning.
public struct BytePairTrainer {
  /// What to learn and how the tokenizer uses its special tokens.
  public struct Options: Hashable, Sendable {
    /// Tokens in all; fewer where the text has no more pairs.
    public var vocabularySize: Int
    /// Pairs that are rarer than this are not merged; 2 unless set.
    public var minimumFrequency: Int
    /// Get the first ids in this order.
    public var specialTokens: [String]
    /// The special token that begins a text.
    public var bos: String?
    /// The special token that ends a text.
    public var eos: String?
    /// The special token that fills batches.
    public var padding: String?
    /// The special token for what cannot be encoded.
    public var unknown: String?
    /// Whether the template puts `bos` in front of a text.
    public var prependsBOS: Bool
    /// Longest text in tokens (`model_max_length`), where known.
    public var maximumLength: Int?

    /// Options; ids of special tokens come first, in their order.
    public init(
      vocabularySize: Int, specialTokens: [String] = ["<|endoftext|>"], bos: String? = "<|endoftext|>",
      eos: String? = "<|endoftext|>", padding: String? = nil, unknown: String? = nil, prependsBOS: Bool = false,
      minimumFrequency: Int = 2, maximumLength: Int? = nil
    ) {
      self.vocabularySize = vocabularySize
      self.minimumFrequency = minimumFrequency
      self.specialTokens = specialTokens
      self.bos = bos
      self.eos = eos
      self.padding = padding
      self.unknown = unknown
      self.prependsBOS = prependsBOS
      self.maximumLength = maximumLength
    }
  }

  /// A learned vocabulary.
  public struct Vocabulary: Hashable, Sendable {
    /// Tokens in byte-level writing, by id.
    public let tokens: [String]
    /// Pairs of tokens in order of learning.
    public let merges: [[String]]
    /// What it was trained with.
    public let options: Options
  }

  private let options: Options
  private var counts: [ByteKey: Int] = [:]

  /// A trainer without text.
  public init(_ options: Options) { self.options = options }

  /// Counts the words of a text.
  ///
  /// Special tokens written in it are text like any other.
  public mutating func add(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      while start < bytes.count {
        let end = ByteLevelScanner.wordEnd(bytes, start)
        counts[ByteKey(bytes[start..<end]), default: 0] += 1
        start = end
      }
    }
  }

  /// Learns the vocabulary from what was added.
  public func train() throws -> Vocabulary {
    try checkOptions()
    var tokens = options.specialTokens
    var ids: [ByteKey: Int32] = [:]
    for (id, token) in tokens.enumerated() { ids[ByteKey(token.utf8)] = Int32(id) }
    // Bytes in order of the characters they are written with.
    let alphabet = (0..<256).sorted { ByteAlphabet.scalars[$0].value < ByteAlphabet.scalars[$1].value }
    var byteIDs = [Int32](repeating: 0, count: 256)
    for byte in alphabet {
      let token = ByteAlphabet.encode([UInt8(byte)])
      if let known = ids[ByteKey(token.utf8)] {
        byteIDs[byte] = known
      } else {
        byteIDs[byte] = Int32(tokens.count)
        ids[ByteKey(token.utf8)] = Int32(tokens.count)
        tokens.append(token)
      }
    }
    var state = PairCounts(counts.map { (key: $0.key.bytes.map { byteIDs[Int($0)] }, count: $0.value) })
    var merges: [[String]] = []
    while tokens.count < options.vocabularySize, let (left, right) = state.best(atLeast: options.minimumFrequency) {
      let token = tokens[Int(left)] + tokens[Int(right)]
      let id: Int32
      if let known = ids[ByteKey(token.utf8)] {
        id = known
      } else {
        id = Int32(tokens.count)
        ids[ByteKey(token.utf8)] = id
        tokens.append(token)
      }
      merges.append([tokens[Int(left)], tokens[Int(right)]])
      state.merge(left, right, into: id)
    }
    return Vocabulary(tokens: tokens, merges: merges, options: options)
  }

  private func checkOptions() throws {
    let smallest = 256 + options.specialTokens.count
    guard options.vocabularySize >= smallest else {
      throw ModelFileError(
        .mismatch,
        "a vocabulary of \(options.vocabularySize) is too small: 256 bytes and the special tokens need \(smallest)")
    }
    guard Set(options.specialTokens.map { ByteKey($0.utf8) }).count == options.specialTokens.count,
      options.specialTokens.allSatisfy({ !$0.isEmpty })
    else { throw ModelFileError(.mismatch, "special tokens must be distinct and not empty") }
    for token in [options.bos, options.eos, options.padding, options.unknown].compactMap({ $0 }) {
      guard options.specialTokens.contains(token) else {
        throw ModelFileError(.mismatch, "'\(token)' has a role but is not among the special tokens")
      }
    }
    guard !options.prependsBOS || options.bos != nil else {
      throw ModelFileError(.mismatch, "a template with a start token needs one")
    }
  }
}

/// The words of a text as symbols, with the frequency of every adjacent pair kept up to date.
private struct PairCounts {
  private struct Candidate {
    let count: Int
    let pair: UInt64
    func precedes(_ other: Candidate) -> Bool { count != other.count ? count > other.count : pair < other.pair }
  }

  private var words: [(symbols: [Int32], count: Int)]
  private var counts: [UInt64: Int] = [:]
  /// Words that hold or once held a pair.
  private var places: [UInt64: Set<Int32>] = [:]
  private var heap = BinaryHeap<Candidate> { $0.precedes($1) }

  init(_ words: [(key: [Int32], count: Int)]) {
    self.words = words.map { (symbols: $0.key, count: $0.count) }
    for (index, word) in self.words.enumerated() {
      for (left, right) in zip(word.symbols, word.symbols.dropFirst()) {
        let pair = Self.pair(left, right)
        counts[pair, default: 0] += word.count
        places[pair, default: []].insert(Int32(index))
      }
    }
    for (pair, count) in counts { heap.push(Candidate(count: count, pair: pair)) }
  }

  /// Ordered like (left, right); ids are not negative.
  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

  /// The most frequent pair, or nil where none is frequent enough.
  mutating func best(atLeast minimum: Int) -> (Int32, Int32)? {
    while let top = heap.pop() {
      let current = counts[top.pair] ?? 0
      if current != top.count {
        // Stale: comes again in its place.
        if current > 0 { heap.push(Candidate(count: current, pair: top.pair)) }
        continue
      }
      return current >= max(minimum, 1)
        ? (Int32(truncatingIfNeeded: top.pair >> 32), Int32(truncatingIfNeeded: top.pair & 0xFFFF_FFFF)) : nil
    }
    return nil
  }

  /// Replaces the pair everywhere, left to right.
  mutating func merge(_ left: Int32, _ right: Int32, into id: Int32) {
    let merged = Self.pair(left, right)
    var changed: Set<UInt64> = []
    for index in places.removeValue(forKey: merged) ?? [] {
      let word = words[Int(index)]
      var symbols: [Int32] = []
      symbols.reserveCapacity(word.symbols.count)
      var position = 0
      var hit = false
      while position < word.symbols.count {
        if position + 1 < word.symbols.count, word.symbols[position] == left, word.symbols[position + 1] == right {
          symbols.append(id)
          position += 2
          hit = true
        } else {
          symbols.append(word.symbols[position])
          position += 1
        }
      }
      guard hit else { continue }
      update(word.symbols, -word.count, index, &changed)
      update(symbols, word.count, index, &changed)
      words[Int(index)].symbols = symbols
    }
    counts[merged] = nil
    for pair in changed where pair != merged {
      if let count = counts[pair], count > 0 { heap.push(Candidate(count: count, pair: pair)) }
    }
  }

  private mutating func update(_ symbols: [Int32], _ count: Int, _ index: Int32, _ changed: inout Set<UInt64>) {
    for (left, right) in zip(symbols, symbols.dropFirst()) {
      let pair = Self.pair(left, right)
      counts[pair, default: 0] += count
      if count > 0 {
        places[pair, default: []].insert(index)
        changed.insert(pair)
      }
    }
  }
}
