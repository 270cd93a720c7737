import Personalization
import TestSupport
import Testing

@Suite(.bounded) struct FactRecallTests {
  let recall = FactRecall(users: [
    User(id: "a", profile: ["pet": "cat", "city": "New York"]), User(id: "b", profile: ["pet": "dog", "city": "Oslo"]),
  ])

  func sample(_ response: String) -> Sample { Sample(id: "s", user: "a", query: "?", response: response) }

  @Test func countsRightAndWrongFacts() {
    #expect(recall.score(reply: "it is a cat", sample: sample("My cat!")) == 1)
    #expect(recall.score(reply: "a dog", sample: sample("My cat!")) == 0)
    // One right of two given: p = 1/2, r = 1.
    #expect(recall.score(reply: "a cat or a dog", sample: sample("My cat!")) == 2.0 / 3)
    #expect(recall.score(reply: "hard to say", sample: sample("My cat!")) == 0)
    #expect(recall.score(reply: "in new york", sample: sample("I live in New York.")) == 1)
  }

  @Test func responsesWithoutFactsDoNotCount() {
    #expect(recall.score(reply: "a cat", sample: sample("Thank you.")) == nil)
    // Someone else's value is not this user's fact.
    #expect(recall.score(reply: "dog", sample: sample("a dog")) == nil)
  }
}

@Suite(.bounded) struct EstimateTests {
  @Test func meanAndStandardError() {
    let estimate = Estimate([1, 2, 3, 4])
    #expect(estimate.mean == 2.5)
    // s² = 5/3, s/√4.
    #expect(abs((estimate.standardError ?? 0) - (5.0 / 3).squareRoot() / 2) < 1e-15)
    // One value says nothing about its spread.
    #expect(Estimate([7]).standardError == nil)
    #expect(Estimate(totals: [3], weights: [2]).standardError == nil)
    #expect(Estimate([Double]()).mean == 0)
  }

  @Test func ratioOfEqualWeightsIsTheMean() throws {
    let ratio = Estimate(totals: [2, 4, 6], weights: [2, 2, 2])
    let plain = Estimate([1, 2, 3])
    #expect(abs(ratio.mean - plain.mean) < 1e-15)
    let (left, right) = (try #require(ratio.standardError), try #require(plain.standardError))
    #expect(abs(left - right) < 1e-15)
  }
}
