import Foundation
import Jinja
import ModelFiles
import StrictJSON

/// The chat templates of a model folder: one, or several by name.
///
/// As in Transformers 5: `chat_template.jinja` and the files in `additional_chat_templates` come before `chat_template` in
/// `tokenizer_config.json`.
package struct ChatTemplates: Sendable {
  /// Name of the template that is taken where none is asked for.
  static let standardName = "default"
  /// The folder of further templates, each in a file by its name.
  private static let folder = "additional_chat_templates"

  private(set) var texts: [String: String]
  /// Special tokens by the names that templates have for them (`bos_token`).
  let specialTokens: [(key: String, value: String)]
  private var compiled: [String: Result<Template, TemplateError>] = [:]

  /// A template by its text alone.
  package init(text: String, tokenizer: Tokenizer) {
    texts = [Self.standardName: text]
    specialTokens = tokenizer.namedSpecials
  }

  /// Reads the templates of a folder; there may be none.
  ///
  /// Throws `ModelFileError`.
  package init(directory: URL, tokenizer: Tokenizer) throws {
    texts = try Self.texts(in: directory)
    specialTokens = tokenizer.namedSpecials
  }

  /// Names of the templates, in order.
  package var names: [String] { texts.keys.sorted() }

  /// The templates of a model folder by name; of a single one the name is `default`.
  package static func texts(in directory: URL) throws -> [String: String] {
    var texts = try files(in: directory)
    if !texts.isEmpty { return texts }
    let settings = directory.appendingPathComponent("tokenizer_config.json")
    guard FileManager.default.fileExists(atPath: settings.path) else { return [:] }
    try naming(settings.path) {
      switch try JSONObject(contentsOf: settings, limit: 64 << 20).present("chat_template") {
      case nil: break
      case .string(let text)?: texts[standardName] = text
      case .array(let items)?: for item in items { try add(item, to: &texts) }
      case .object(let object)?:
        for (name, text) in object.members { texts[name] = try Self.text(text) }
      case let other?: throw ModelFileError(.malformed, "'chat_template' must be a text or a list, found \(other.kind)")
      }
    }
    return texts
  }

  private static func add(_ item: JSONValue, to texts: inout [String: String]) throws {
    guard let object = item.objectValue, let name = try object.string("name"), let text = object["template"] else {
      throw ModelFileError(.malformed, "'chat_template' must be a text, or a list of objects with name and template")
    }
    texts[name] = try Self.text(text)
  }

  private static func text(_ value: JSONValue) throws -> String {
    guard let text = value.stringValue else {
      throw ModelFileError(.malformed, "'chat_template': a template must be a text, found \(value.kind)")
    }
    return text
  }

  private static func files(in directory: URL) throws -> [String: String] {
    var texts: [String: String] = [:]
    let single = directory.appendingPathComponent("chat_template.jinja")
    if FileManager.default.fileExists(atPath: single.path) { texts[standardName] = try read(single) }
    let folder = directory.appendingPathComponent(Self.folder, isDirectory: true)
    guard FileManager.default.fileExists(atPath: folder.path) else { return texts }
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() where name.hasSuffix(".jinja")
    {
      texts[String(name.dropLast(6))] = try read(folder.appendingPathComponent(name))
    }
    return texts
  }

  /// The text of a template's file, of at most 4 MiB.
  package static func read(_ url: URL) throws -> String {
    try naming(url.path) {
      let file = try MappedFile(url, limit: 4 << 20)
      guard let text = withExtendedLifetime(file, { String(validating: file.bytes, as: UTF8.self) }) else {
        throw ModelFileError(.malformed, "a chat template must be UTF-8")
      }
      return text
    }
  }

  // MARK: - Choice

  /// The template that a request asks for: by name, the one for tools where there are tools, or the usual one.
  private func name(for request: ChatRequest) throws -> String {
    if texts.isEmpty {
      throw ChatError(
        "the model has no chat template: there is no chat_template.jinja and no chat_template in tokenizer_config.json")
    }
    if let name = request.templateName {
      guard texts[name] != nil else { throw ChatError("no template named '\(name)'; there are \(listedNames)") }
      return name
    }
    if request.tools != nil, texts["tool_use"] != nil { return "tool_use" }
    guard texts[Self.standardName] != nil else {
      throw ChatError("the model has several chat templates and none is the default; ask for one of \(listedNames)")
    }
    return Self.standardName
  }

  private var listedNames: String {
    let shown = names.prefix(10).joined(separator: ", ")
    return texts.count > 10 ? "\(shown) and \(texts.count - 10) others" : shown
  }

  /// The template for a request, with its text.
  mutating func template(for request: ChatRequest) throws -> (template: Template, text: String) {
    let name = try name(for: request)
    let text = texts[name] ?? ""
    let result = compiled[name] ?? Result { () throws(TemplateError) in try Self.compile(text) }
    compiled[name] = result
    return (try result.get(), text)
  }

  private static func compile(_ text: String) throws(TemplateError) -> Template {
    do { return try Template(text) } catch let error as TemplateError { throw error } catch {
      throw TemplateError(.syntax, "\(error)")
    }
  }
}
