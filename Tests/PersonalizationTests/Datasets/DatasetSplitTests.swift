import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

@Suite(.bounded) struct DatasetSplitTests {
  func dataset(samplesPerUser: [Int]) throws -> Dataset {
    let users = samplesPerUser.indices.map { User(id: "u\($0)") }
    let samples = samplesPerUser.enumerated().flatMap { user, count in
      (0..<count).map { k in
        Sample(id: "\(user)-\(k)", user: "u\(user)", query: "q\(k)", response: "r\(k)", time: Double(count - k))
      }
    }
    return try Dataset(users: users, samples: samples)
  }

  @Test(arguments: [
    (0, [0, 0, 0]), (1, [1, 0, 0]), (2, [2, 0, 0]), (3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (7, [5, 1, 1]),
    (10, [7, 1, 2]), (11, [8, 1, 2]), (15, [11, 1, 3]), (182, [128, 18, 36]),
  ])
  func largestRemainder(_ count: Int, _ sizes: [Int]) {
    let labels = Dataset.labels(count: count, fractions: [0.7, 0.1, 0.2])
    #expect(SplitPart.allCases.map { part in labels.count { $0 == part } } == sizes)
    #expect(labels.count == count)
  }

  @Test func everyPartGetsOneFromThreeOn() {
    for count in 3...200 {
      let labels = Dataset.labels(count: count, fractions: [0.7, 0.1, 0.2])
      #expect(labels.count == count)
      #expect(Set(labels).count == 3)
    }
  }

  @Test func withinUserFollowsTime() throws {
    let data = try dataset(samplesPerUser: [10, 5])
    let parts = try data.split(SplitPolicy(mode: .withinUser))
    #expect(parts.train.count == 10 && parts.validation.count == 2 && parts.test.count == 3)
    // Times descend in file order, so the last lines of a user are his oldest samples.
    let newest = parts.test.filter { data.samples[$0].user == "u0" }.map { data.samples[$0].id }
    #expect(newest == ["0-0", "0-1"])
    #expect(Set(parts.train + parts.validation + parts.test).count == 15)
  }

  @Test func userDisjointKeepsUsersTogether() throws {
    let data = try dataset(samplesPerUser: Array(repeating: 3, count: 40))
    let parts = try data.split(SplitPolicy(mode: .userDisjoint, seed: 5))
    let owners = SplitPart.allCases.map { part in Set(parts[part].map { data.samples[$0].user }) }
    #expect(owners.map(\.count) == [28, 4, 8])
    #expect(owners[0].union(owners[1]).union(owners[2]).count == 40)
    #expect(try data.split(SplitPolicy(mode: .userDisjoint, seed: 5)) == parts)
    #expect(try data.split(SplitPolicy(mode: .userDisjoint, seed: 6)) != parts)
  }

  @Test func refusesWhatCanNotBe() throws {
    let data = try dataset(samplesPerUser: [1, 1])
    for policy in [
      SplitPolicy(mode: .given), SplitPolicy(mode: .userDisjoint), SplitPolicy(mode: .withinUser),
      SplitPolicy(fractions: [0.5, 0.6, -0.1]), SplitPolicy(fractions: [0.5, 0.5]),
    ] {
      let error = #expect(throws: DatasetError.self) { try data.split(policy) }
      #expect(error?.code == .split)
    }
  }

  @Test func laterItemsStayOutOfWithinUserMemory() throws {
    let items = [
      HistoryItem(kind: "post", text: "late", time: 9), HistoryItem(kind: "post", text: "old", time: 1),
      HistoryItem(kind: "post", text: "undated"),
    ]
    let samples = (0..<10).map { Sample(id: "\($0)", user: "a", query: "q", response: "r", time: Double($0)) }
    let data = try Dataset(users: [User(id: "a", history: items)], samples: samples)
    let policy = SplitPolicy(mode: .withinUser)
    let split = try data.split(policy)
    #expect(data.visibleHistories(split, policy: policy)[0].history.map(\.text) == ["undated", "old"])
    let disjoint = SplitPolicy(mode: .userDisjoint)
    #expect(data.visibleHistories(split, policy: disjoint)[0].history.map(\.text) == ["undated", "old", "late"])
  }

  @Test func statisticsAreTableOne() throws {
    let users = [
      User(
        id: "a", history: [HistoryItem(kind: "p", text: "one two"), HistoryItem(kind: "p", text: "one two three four")]),
      User(id: "idle", history: [HistoryItem(kind: "p", text: "not counted")]),
    ]
    let data = try Dataset(users: users, samples: [Sample(id: "1", user: "a", query: "q", response: "x y z")])
    let table = data.statistics(association: "positional") { $0.count }
    #expect(
      table
        == DatasetStatistics(
          users: 1, samples: 1, historyLength: 2, contentWords: 3, responseWords: 3, contentTokens: 12.5,
          responseTokens: 5, association: "positional"))
  }
}
