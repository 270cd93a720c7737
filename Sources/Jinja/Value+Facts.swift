extension Value {
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let flag): flag
    case .integer(let integer): !integer.isZero
    case .double(let number): number != 0
    case .text(let text): !text.isEmpty
    case .list(let list): !list.items.isEmpty
    case .tuple(let tuple): !tuple.items.isEmpty
    case .mapping(let mapping): !mapping.entries.isEmpty
    case .view(let view): !view.mapping.entries.isEmpty
    case .range(let range): range.count > 0
    case .iterator, .function, .macro, .namespace, .loop, .cycler: true
    }
  }

  /// The name of the Python type.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .double: "float"
    case .text(let text): text.isMarkup ? "Markup" : "str"
    case .list: "list"
    case .tuple(let tuple): tuple.names.isEmpty ? "tuple" : "_GroupTuple"
    case .mapping: "dict"
    case .view(let view): "dict_\(view.part.rawValue)"
    case .range: "range"
    case .iterator(let iterator): iterator.name
    case .function(let function): function.type
    case .macro: "Macro"
    case .namespace: "TemplateNamespace"
    case .loop: "LoopContext"
    case .cycler: "Cycler"
    }
  }

  /// How Jinja names the owner of an attribute that is not there.
  var objectName: String {
    switch self {
    case .none: "None"
    case .text(let text) where text.isMarkup: "markupsafe.Markup object"
    case .macro, .loop: "jinja2.runtime.\(typeName) object"
    case .cycler: "jinja2.utils.Cycler object"
    case .namespace:
      "transformers.utils.chat_template_utils._cached_compile_jinja_template.<locals>.TemplateNamespace object"
    default: "\(typeName) object"
    }
  }

  var isText: Bool { if case .text = self { true } else { false } }
  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }

  /// An integer, or a truth as one.
  var asInteger: Integer? {
    switch self {
    case .bool(let flag): Integer(flag ? 1 : 0)
    case .integer(let integer): integer
    default: nil
    }
  }

  /// A number of any kind.
  var asDouble: Double? {
    if case .double(let number) = self { number } else { asInteger?.double }
  }

  /// Number of items of what has one; nil elsewhere.
  var count: Int? {
    switch self {
    case .undefined: 0
    case .text(let text): text.count
    case .list(let list): list.items.count
    case .tuple(let tuple): tuple.items.count
    case .mapping(let mapping): mapping.entries.count
    case .view(let view): view.mapping.entries.count
    case .range(let range): range.count
    default: nil
    }
  }

  /// Items of what holds them all at once; nil elsewhere.
  var storedItems: [Value]? {
    switch self {
    case .undefined: []
    case .text(let text): text.scalars.map { .string([$0]) }
    case .list(let list): list.items
    case .tuple(let tuple): tuple.items
    case .mapping(let mapping): mapping.entries.map(\.key)
    case .view(let view): view.items
    case .range(let range): (0..<range.count).map { .integer(range.item($0)) }
    default: nil
    }
  }

  var isIterable: Bool {
    switch self {
    case .iterator, .loop: true
    default: storedItems != nil
    }
  }

  var isCallable: Bool {
    switch self {
    case .function, .macro, .loop, .undefined: true
    default: false
    }
  }

  /// Whether both are one object; of values that Python may or may not share, whether they are the same.
  func isSame(as other: Value) -> Bool {
    switch (self, other) {
    case (.none, .none): true
    case (.bool(let a), .bool(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
    case (.text(let a), .text(let b)): a == b && a.isMarkup == b.isMarkup
    case (.list(let a), .list(let b)): a === b
    case (.tuple(let a), .tuple(let b)): a === b || a.items.isEmpty && b.items.isEmpty
    case (.mapping(let a), .mapping(let b)): a === b
    case (.namespace(let a), .namespace(let b)): a === b
    case (.iterator(let a), .iterator(let b)): a === b
    case (.function(let a), .function(let b)): a === b
    case (.macro(let a), .macro(let b)): a === b
    case (.loop(let a), .loop(let b)): a === b
    case (.cycler(let a), .cycler(let b)): a === b
    default: false
    }
  }
}
