import ModelFiles
import StrictJSON

/// A token that is looked for in the text before the model sees it, with the options of the reference.
struct AddedToken: Hashable, Sendable {
  var content: String
  var isSingleWord = false
  var stripsLeft = false
  var stripsRight = false
  var isNormalized: Bool
  var isSpecial: Bool
  /// The id that the file gives it, where it does.
  var statedID: Int?
  /// Whether only its text is known.
  var isBareName = false

  /// A token named without options.
  init(special content: String) {
    self.content = content
    isNormalized = false
    isSpecial = true
    isBareName = true
  }

  /// Reads the options of a JSON object; missing ones have the defaults of the reference.
  init(_ object: JSONObject, id: Int?, place: String) throws {
    guard let content = try object.string("content") else {
      throw ModelFileError(.malformed, "'\(place)' must hold objects with 'content'")
    }
    self.content = content
    isSingleWord = try object.bool("single_word") ?? false
    stripsLeft = try object.bool("lstrip") ?? false
    stripsRight = try object.bool("rstrip") ?? false
    isSpecial = try object.bool("special") ?? false
    isNormalized = try object.bool("normalized") ?? !isSpecial
    statedID = id
  }
}

/// The added tokens of a tokenizer in the order in which they come, with the ids that the reference gives them.
struct AddedVocabulary {
  private(set) var tokens: [Int32: AddedToken] = [:]
  /// What decoding looks for when it leaves special tokens out.
  private(set) var specials: Set<ByteKey> = []
  /// Tokens that were normalized once; decoding keeps that form, whatever later files say.
  private(set) var normalized: Set<Int32> = []
  private var ids: [ByteKey: Int32] = [:]
  /// The largest id of an added token, -1 without any.
  private var last: Int32 = -1
  private let modelIDs: [ByteKey: Int32]

  init(modelIDs: [ByteKey: Int32]) { self.modelIDs = modelIDs }

  /// Adds a token, or changes the options of one that is there, and returns its id.
  ///
  /// The reference does not look at the ids in the files: a token of the vocabulary keeps its id, others are numbered on.
  /// Throws where the file says something else.
  mutating func add(_ token: AddedToken) throws -> Int32 {
    let key = ByteKey(token.content.utf8)
    let id = ids[key] ?? modelIDs[key] ?? next
    if let stated = token.statedID, stated != Int(id) {
      let why =
        modelIDs[key] == nil && ids[key] == nil
        ? "the vocabulary has \(modelIDs.count) tokens, so it gets \(id)" : "the vocabulary says \(id)"
      throw ModelFileError(
        .mismatch, "'added_tokens': '\(token.content)' has id \(stated), \(why). Save the tokenizer again")
    }
    ids[key] = id
    tokens[id] = token
    last = max(last, id)
    if token.isSpecial { specials.insert(key) }
    if token.isNormalized { normalized.insert(id) }
    return id
  }

  private var next: Int32 { max(Int32(clamping: modelIDs.count), last + 1) }
}
