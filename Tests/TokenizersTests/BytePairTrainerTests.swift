import Foundation
import ModelFiles
import TestSupport
import Testing

@testable import Tokenizers

@Suite(.bounded) struct BytePairTrainerTests {
  private static let text = """
    the cat sat on the mat; the other cat sat on the hat. then they thought that this was the thing to do,
    and the cat said: I'll be there, won't you? naïve café naïve café 1234 1234 12 the the the
    """

  @Test func vocabularyIsLoadableAndRoundTrips() throws {
    var trainer = BytePairTrainer(
      .init(vocabularySize: 280, specialTokens: ["<|endoftext|>", "<|user|>"], prependsBOS: true, maximumLength: 64))
    trainer.add(Self.text)
    let vocabulary = try trainer.train()
    #expect(vocabulary.tokens.count == 280)
    #expect(vocabulary.merges.first == ["t", "h"])
    let folder = try TemporaryFolder()
    try vocabulary.write(to: folder.url)
    let tokenizer = try Tokenizer(directory: folder.url)
    #expect(tokenizer.vocabularySize == 280)
    #expect(tokenizer.leadingSpecials == [0])
    #expect(tokenizer.specialIDs.eos == [0])
    #expect(tokenizer.id(of: "<|user|>") == 1)
    #expect(tokenizer.encode("<|user|>hi", addSpecialTokens: false).first == 1)
    for text in [Self.text, "völlig 別の text\r\n", ""] {
      #expect(try tokenizer.decode(tokenizer.encode(text), skipSpecialTokens: true) == text)
    }
    #expect(tokenizer.encode(Self.text).count < Self.text.utf8.count * 2 / 3)
  }

  @Test func orderOfTextsDoesNotMatter() throws {
    let lines = Self.text.split(separator: "\n").map(String.init)
    var first = BytePairTrainer(.init(vocabularySize: 320))
    for line in lines { first.add(line) }
    var second = BytePairTrainer(.init(vocabularySize: 320))
    for line in lines.reversed() { second.add(line) }
    let (one, two) = (try first.train(), try second.train())
    #expect(one == two)
    #expect(one.tokenizerJSON == two.tokenizerJSON)
  }

  /// Against the definition: count all pairs anew for every merge.
  @Test func mergesAreTheMostFrequentPairs() throws {
    var trainer = BytePairTrainer(.init(vocabularySize: 290, minimumFrequency: 1))
    trainer.add(Self.text)
    let vocabulary = try trainer.train()
    var words: [[String]] = []
    var text = Self.text
    text.withUTF8 { bytes in
      var start = 0
      while start < bytes.count {
        let end = ByteLevelScanner.wordEnd(bytes, start)
        words.append(bytes[start..<end].map { ByteAlphabet.encode([$0]) })
        start = end
      }
    }
    for merge in vocabulary.merges {
      var counts: [[String]: Int] = [:]
      for word in words { for pair in zip(word, word.dropFirst()) { counts[[pair.0, pair.1], default: 0] += 1 } }
      let most = counts.values.max() ?? 0
      #expect(counts[merge] == most, "\(merge)")
      words = words.map { word in
        var result: [String] = []
        for symbol in word {
          if let last = result.last, last == merge[0], symbol == merge[1], !last.isEmpty {
            result[result.count - 1] = last + symbol
          } else {
            result.append(symbol)
          }
        }
        return result
      }
    }
  }

  @Test func impossibleOptionsAreRefused() {
    #expect(throws: ModelFileError.self) { try BytePairTrainer(.init(vocabularySize: 100)).train() }
    #expect(throws: ModelFileError.self) {
      try BytePairTrainer(.init(vocabularySize: 300, specialTokens: ["a"], bos: "b")).train()
    }
  }
}
