import Foundation
import StrictJSON

/// Reads the raw MedicalDialogue release of MaLP into users and samples (paper.md §2.4).
///
/// The release links no dialogue to a profile: dialogue k, files in the order of their names, goes to parsable profile
/// k mod P (`association: positional`). Of each dialogue, user turn t and assistant turn t + 1 make a sample (the
/// doctor speaks first in every turn), and the user's turns are his history.
package enum MedicalDialogueImporter {
  /// What was read, and what had to be left out.
  package struct Result: Sendable {
    package var dataset: Dataset
    /// How users and dialogues were linked.
    package var association: String
    package var profiles: Int
    /// Profiles that are not an object with the three expected keys.
    package var unparsableProfiles: Int
    package var dialogues: Int
    /// Turns whose speakers were exchanged.
    package var swappedTurns: Int
    /// Pairs left out because query or reply was empty after cleaning.
    package var emptyPairs: Int
    /// History items left out because they repeat one of the user's own replies word for word.
    package var leakingItems: Int
  }

  private struct Turn {
    var user: String
    var assistant: String
  }

  /// Imports from a folder that holds `profiles*.json` and `dialogues*.json`, at any depth.
  ///
  /// - Throws: `DatasetError` that names the file and what is wrong with it.
  package static func read(folder: URL) throws -> Result {
    guard let walker = FileManager.default.enumerator(atPath: folder.path) else {
      throw DatasetError(.unreadable, "there is no such folder; check the path", path: folder.path)
    }
    let names = walker.compactMap { $0 as? String }.filter { $0.hasSuffix(".json") }.sorted()
    func files(_ prefix: String) -> [URL] {
      names.map { folder.appendingPathComponent($0) }.filter { $0.lastPathComponent.hasPrefix(prefix) }
        .sorted { $0.lastPathComponent < $1.lastPathComponent }
    }
    guard let profiles = files("profiles").last else {
      throw DatasetError(.unreadable, "no profiles*.json (profiles_4.json) below this folder", path: folder.path)
    }
    let dialogues = files("dialogues")
    guard !dialogues.isEmpty else {
      throw DatasetError(
        .unreadable, "no dialogues*.json (dialogues2_cleaned.json, …) below this folder", path: folder.path)
    }
    return try read(profiles: profiles, dialogues: dialogues)
  }

  /// Imports from named files; dialogue files are taken in the order of their names.
  package static func read(profiles profileFile: URL, dialogues dialogueFiles: [URL]) throws -> Result {
    let (profiles, unparsable) = try readProfiles(profileFile)
    guard !profiles.isEmpty else {
      throw DatasetError(
        .empty, "none of the profiles is an object with personal_information, symptoms and dialogue_preference",
        path: profileFile.path)
    }
    var cleaner = TurnCleaner()
    var dialogues: [[Turn]] = []
    for file in dialogueFiles.sorted(by: { $0.lastPathComponent < $1.lastPathComponent }) {
      dialogues += try readDialogues(file, cleaner: &cleaner)
    }
    guard !dialogues.isEmpty else {
      throw DatasetError(.empty, "no dialogues", path: dialogueFiles.first?.path)
    }
    return try assemble(profiles, unparsable, dialogues, swapped: cleaner.swapped)
  }

  private static func assemble(
    _ profiles: [(position: Int, values: [String: String])], _ unparsable: Int, _ dialogues: [[Turn]], swapped: Int
  ) throws -> Result {
    let digits = String(profiles.count).count
    var users = profiles.prefix(dialogues.count).map { profile in
      let number = String(profile.position)
      return User(
        id: "malp-" + String(repeating: "0", count: max(0, digits - number.count)) + number, profile: profile.values)
    }
    var samples: [Sample] = []
    var emptyPairs = 0
    for (k, dialogue) in dialogues.enumerated() {
      let owner = k % profiles.count
      for (t, turn) in dialogue.enumerated() {
        // Turns are numbered on over the dialogues of one user, so that time orders them.
        let time = Double((k / profiles.count) * 1000 + t)
        if !turn.user.isEmpty {
          users[owner].history.append(HistoryItem(kind: "utterance", text: turn.user, time: time))
        }
        guard t + 1 < dialogue.count else { continue }
        let reply = dialogue[t + 1].assistant
        guard !turn.user.isEmpty, !reply.isEmpty else {
          emptyPairs += 1
          continue
        }
        samples.append(
          Sample(
            id: "malp-\(k)-\(t)", user: users[owner].id, query: turn.user,
            context: turn.assistant.isEmpty ? nil : turn.assistant, response: reply, time: time))
      }
    }
    let leaking = removeLeaks(&users, samples)
    return Result(
      dataset: try Dataset(users: users, samples: samples), association: "positional", profiles: profiles.count,
      unparsableProfiles: unparsable, dialogues: dialogues.count, swappedTurns: swapped, emptyPairs: emptyPairs,
      leakingItems: leaking)
  }

  /// Speakers sometimes repeat each other word for word; such an item would give the reply away.
  private static func removeLeaks(_ users: inout [User], _ samples: [Sample]) -> Int {
    let replies = Dictionary(grouping: samples, by: \.user).mapValues {
      Set($0.map { HistoryIndex.normalize($0.response) })
    }
    var removed = 0
    for index in users.indices {
      let own = replies[users[index].id] ?? []
      let kept = users[index].history.filter { !own.contains(HistoryIndex.normalize($0.text)) }
      removed += users[index].history.count - kept.count
      users[index].history = kept
    }
    return removed
  }

  private static func json(_ file: URL) throws -> Any {
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch {
      throw DatasetError(.unreadable, "can not be read (\(error.localizedDescription))", path: file.path)
    }
    do {
      return try JSONSerialization.jsonObject(with: data)
    } catch {
      throw DatasetError(.malformed, "not valid JSON; download the file again", path: file.path)
    }
  }

  /// A list of strings, each the text of a JSON object, or not.
  private static func readProfiles(_ file: URL) throws -> ([(position: Int, values: [String: String])], Int) {
    guard let list = try json(file) as? [String] else {
      throw DatasetError(.malformed, "expected a list of strings, each one profile", path: file.path)
    }
    let keys = ["personal_information", "symptoms", "dialogue_preference"]
    var parsed: [(Int, [String: String])] = []
    for (position, text) in list.enumerated() {
      // Some are no JSON: they are counted, and left out.
      guard case .object(let object)? = try? JSONValue(parsing: text, rules: RecordDecoder.rules),
        keys.allSatisfy({ object[$0] != nil })
      else { continue }
      let values = object.compactMap { key, value in flatten(value).map { (key, $0) } }
      parsed.append((position, Dictionary(values, uniquingKeysWith: { first, _ in first })))
    }
    return (parsed, list.count - parsed.count)
  }

  /// Nested values written out as `key: value; …`; null is no value.
  private static func flatten(_ value: JSONValue) -> String? {
    switch value {
    case .array(let list): return list.compactMap(flatten).joined(separator: ", ")
    case .object(let object):
      return object.sorted { $0.key < $1.key }.compactMap { key, value in flatten(value).map { "\(key): \($0)" } }
        .joined(separator: "; ")
    default: return Dataset.scalar(value)
    }
  }

  /// A list of dialogues, each a list of one-key objects `{"t": {"Assistant": …, "User": …}}`.
  private static func readDialogues(_ file: URL, cleaner: inout TurnCleaner) throws -> [[Turn]] {
    guard let list = try json(file) as? [Any] else {
      throw DatasetError(.malformed, "expected a list of dialogues", path: file.path)
    }
    return try list.enumerated().map { number, dialogue in
      func fail(_ t: Int, _ what: String) -> DatasetError {
        DatasetError(.malformed, "dialogue \(number), turn \(t): \(what)", path: file.path)
      }
      guard let turns = dialogue as? [Any] else { throw fail(0, "expected a list of turns") }
      return try turns.enumerated().map { t, element in
        guard let entry = element as? [String: Any], entry.count == 1, let turn = entry.values.first as? [String: Any]
        else { throw fail(t, "expected an object with one key, the number of the turn") }
        guard let assistant = turn["Assistant"] as? String, let user = turn["User"] as? String, turn.count == 2 else {
          throw fail(t, "expected the keys Assistant and User, both strings")
        }
        let clean = cleaner.clean(user: user, assistant: assistant)
        return Turn(user: clean.user, assistant: clean.assistant)
      }
    }
  }
}
