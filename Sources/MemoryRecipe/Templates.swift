/// How records become lines of text.
///
/// Placeholders: `{user}` the user's id, `{kind}`, `{text}`, `{context}` of an item, `{query}`, `{context}` of a sample,
/// `{response}`, `{profile}` the profile as `key=value; …` in the order of the keys. A double brace stands for itself.
package struct Templates: Sendable, Codable, Equatable {
  /// History line by item kind; kinds that are not listed use `item` or `itemWithContext`.
  package var kinds: [String: String]
  /// History line of an item without context.
  package var item: String
  /// History line of an item with context.
  package var itemWithContext: String
  /// Line of the profile, put before the history; nil leaves the profile out.
  package var profile: String?
  /// What the model is given before it replies.
  package var prompt: String
  /// The same for samples with a context; nil means `prompt`.
  package var promptWithContext: String?
  /// The reply as it stands after the prompt, its leading space included.
  package var response: String
  /// What stands between lines that share an example.
  package var separator: String
  /// A reply ends before this text; nil means that only the end token ends it.
  package var stop: String?

  package init(
    kinds: [String: String] = [:], item: String, itemWithContext: String, profile: String?, prompt: String,
    promptWithContext: String? = nil, response: String, separator: String = "\n",
    stop: String? = nil
  ) {
    self.kinds = kinds
    self.item = item
    self.itemWithContext = itemWithContext
    self.profile = profile
    self.prompt = prompt
    self.promptWithContext = promptWithContext
    self.response = response
    self.separator = separator
    self.stop = stop
  }

  /// Natural lines for real data; a `User <id>:` prefix lets many users share one memory.
  package static let plain = Templates(
    item: "User {user}: [{kind}] {text}", itemWithContext: "User {user}: [{kind}] {context} => {text}",
    profile: "User {user}: Profile: {profile}",
    prompt: "### User: {user}\n### Instruction: Answer as this user would.\n### Input: {query}\n### Response:",
    promptWithContext:
      "### User: {user}\n### Instruction: Answer as this user would.\n### Input: {context}\n{query}\n### Response:",
    response: " {response}")

  /// The lines of the quickstart's cohort.
  package static let quickstart = Templates(
    item: "@ {user} posts : {text} .", itemWithContext: "@ {user} is asked : {context} ? @ {user} says : {text} .",
    profile: nil, prompt: "@ {user} is asked : {query} ? @ {user} says :", response: " {response} .")
}
