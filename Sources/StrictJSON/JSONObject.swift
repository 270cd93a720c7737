/// The members of a JSON object in their order.
package struct JSONObject: Sendable {
  package typealias Member = (key: String, value: JSONValue)

  package private(set) var members: [Member] = []

  package init() {}
  package init(_ members: [(String, JSONValue)]) { self.members = members.map { (key: $0.0, value: $0.1) } }
  package init(_ fields: [String: JSONValue]) { members = fields.map { (key: $0.key, value: $0.value) } }

  package var count: Int { members.count }
  package var isEmpty: Bool { members.isEmpty }
  package var keys: [String] { members.map(\.key) }

  /// Adds a member; the caller knows that the key is new.
  package mutating func append(_ key: String, _ value: JSONValue) {
    members.append((key: key, value: value))
  }

  /// The object with one more member; the caller knows that the key is new.
  package func adding(_ key: String, _ value: JSONValue) -> JSONObject {
    var object = self
    object.append(key, value)
    return object
  }

  /// The value of a key, compared by its bytes (linear search: objects read by key are small).
  package subscript(key: String) -> JSONValue? {
    get { index(of: key).map { members[$0].value } }
    set {
      switch (index(of: key), newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): append(key, value)
      case (nil, nil): break
      }
    }
  }

  /// Removes a member and gives its value.
  package mutating func removeValue(forKey key: String) -> JSONValue? {
    index(of: key).map { members.remove(at: $0).value }
  }

  private func index(of key: String) -> Int? {
    members.indices.first { members[$0].key.utf8.elementsEqual(key.utf8) }
  }

  /// A value that is neither absent nor null.
  package func present(_ key: String) -> JSONValue? {
    guard let value = self[key], !value.isNull else { return nil }
    return value
  }
}

extension JSONObject: Sequence {
  package func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

extension JSONObject: Equatable {
  /// Whether both have the same members, in whatever order.
  package static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
  }
}
