import Foundation
import Personalization
import TestSupport
import Testing

/// Against numbers of rouge_score 0.1.2 (goldens/lm/golden/rouge.json).
@Suite(.bounded) struct RougeTests {
  struct Golden: Decodable {
    struct Score: Decodable {
      var precision: Double
      var recall: Double
      var f: Double
    }
    struct Scores: Decodable {
      var rouge1: Score
      var rougeL: Score
    }
    struct Pair: Decodable {
      var prediction: String
      var reference: String
      var pred_tokens: [String]
      var ref_tokens: [String]
      var pred_tokens_stem: [String]
      var ref_tokens_stem: [String]
      var nostem: Scores
      var stem: Scores
    }
    var pairs: [Pair]
  }

  @Test func agreesWithReference() throws {
    let golden = try Fixtures.decode(Golden.self, from: "goldens/lm/golden/rouge.json")
    #expect(golden.pairs.count > 50)
    for pair in golden.pairs {
      #expect(Rouge.tokens(pair.prediction) == pair.pred_tokens)
      #expect(Rouge.tokens(pair.reference) == pair.ref_tokens)
      #expect(Rouge.tokens(pair.prediction, options: .init(stemmer: true)) == pair.pred_tokens_stem)
      #expect(Rouge.tokens(pair.reference, options: .init(stemmer: true)) == pair.ref_tokens_stem)
      for (stemmer, wanted) in [(false, pair.nostem), (true, pair.stem)] {
        let score = Rouge(
          prediction: pair.prediction, reference: pair.reference, options: .init(stemmer: stemmer))
        for (mine, theirs) in [(score.rouge1, wanted.rouge1), (score.rougeL, wanted.rougeL)] {
          #expect(abs(mine.precision - theirs.precision) < 1e-12, "\(pair.prediction) | \(pair.reference)")
          #expect(abs(mine.recall - theirs.recall) < 1e-12)
          #expect(abs(mine.f1 - theirs.f) < 1e-12)
        }
      }
    }
  }

  @Test func unicodeOptionKeepsLettersOfEveryScript() {
    #expect(Rouge.tokens("Größe 東京!") == ["gr", "e"])
    #expect(Rouge.tokens("Größe 東京!", options: .init(unicode: true)) == ["größe", "東京"])
  }

  /// Stems as NLTK's PorterStemmer in its default mode gives them.
  @Test(arguments: [
    ("caresses", "caress"), ("ponies", "poni"), ("ties", "tie"), ("cats", "cat"), ("feed", "feed"),
    ("agreed", "agre"), ("plastered", "plaster"), ("motoring", "motor"), ("sing", "sing"), ("conflated", "conflat"),
    ("hopping", "hop"), ("falling", "fall"), ("hissing", "hiss"), ("filing", "file"), ("happy", "happi"),
    ("sky", "sky"), ("enjoy", "enjoy"), ("relational", "relat"), ("rationally", "ration"),
    ("generally", "gener"), ("hopefully", "hope"), ("geology", "geolog"), ("dying", "die"), ("spied", "spi"),
    ("tied", "tie"), ("adjustment", "adjust"), ("adoption", "adopt"), ("controlling", "control"), ("probate", "probat"),
    ("skating", "skate"), ("using", "use"), ("crying", "cri"), ("analogously", "analog"),
  ])
  func stems(_ word: String, _ stem: String) {
    #expect(PorterStemmer.stem(word) == stem)
  }
}
