import Jinja
import TestSupport
import Testing

/// Rules of Python and Jinja that are easy to get wrong; the expectations are those of jinja2 3.1.6.
@Suite("Jinja's rules", .bounded) struct RulesTests {
  private func text(_ source: String, _ variables: [(key: String, value: Value)] = []) throws -> String {
    try Template(source).render(variables).text.string
  }

  @Test(
    "Numbers print as in Python",
    arguments: [
      (
        "{{ 2 ** 100 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ 2 ** -1 }}",
        "1267650600228229401496703205376 -4 2 3.0 0.5"
      ),
      ("{{ (2 ** 100) // 7 }} {{ (-(2 ** 70)) % 1000 }}", "181092942889747057356671886482 576"),
      (
        "{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 123456789.125 }} {{ -0.0 }}",
        "1e+16 1000000000000000.0 0.0001 1e-05 123456789.125 -0.0"
      ),
      ("{{ 2.675 | round(2) }} {{ 0.5 | round }} {{ 1.5 | round }} {{ 1250 | round(-2) }}", "2.67 0.0 2.0 1200"),
      ("{{ true + 1 }} {{ 10 / 4 }} {{ 9007199254740993 == 9007199254740992.0 }}", "2 2.5 False"),
      ("{{ '%05.1f|%+d|%x|%-4s|%e' % (3.14159, 5, 255, 'a', 12345.678) }}", "003.1|+5|ff|a   |1.234568e+04"),
      (
        "{{ '{:>6}|{:,}|{:08.3f}|{!r}|{:%}'.format('ab', 1234567, -3.14159, 'x', 0.25) }}",
        "    ab|1,234,567|-003.142|'x'|25.000000%"
      ),
      (
        "{{ ' 12 ' | int }} {{ '1_0' | int }} {{ 'ff' | int(base=16) }} {{ '1e3' | float }} {{ '٣' | int }}",
        "12 10 255 1000.0 3"
      ),
    ])
  func numbers(_ source: String, _ expected: String) throws { #expect(try text(source) == expected) }

  @Test(
    "Names have the scopes of Jinja's compiler",
    arguments: [
      // A name that is set at the top is the top's from the beginning, also for macros that run before.
      ("{% macro f() %}[{{ x }}]{% endmacro %}{{ f() }}{% set x = 1 %}{{ f() }}", "[][1]"),
      // One that only a loop sets is looked up anew in every round.
      ("{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }},{% endfor %}{{ x }}", "V1,V2,V"),
      ("{% for i in [1, 2] %}{% if i == 1 %}{% set x = i %}{% endif %}{{ x }}{% endfor %}", "1V"),
      ("{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% set a = 3 %}{{ a }}{% endwith %}{{ a }}", "2131"),
      ("{% set t %}{% set x = 2 %}{{ x }}{% endset %}{{ t }}{{ x }}", "2V"),
      ("{% macro f(x) %}{{ x }}{{ caller() }}{% endmacro %}{% call f(1) %}{{ x }}{% endcall %}", "1V"),
      ("{% for a, b in [[1, 2], [3, 4]] if a %}{{ loop.previtem }}{% endfor %}", "(1, 2)"),
      ("{% for x in [1] %}{% for y in [2] if x %}{{ loop.index }}{{ x }}{% endfor %}{% endfor %}", "11"),
    ])
  func scopes(_ source: String, _ expected: String) throws {
    #expect(try text(source, [(key: "x", value: Value("V"))]) == expected)
  }

  @Test(
    "Iterators are used up, lists are not",
    arguments: [
      ("{% set g = [1, 2] | map('string') %}{{ g | list }}{{ g | list }}", "['1', '2'][]"),
      ("{% set g = [1, 2] | map('nofilter') %}ok", "ok"),
      ("{% for x in [1, 2, 3] | select('odd') %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %}", "1False23True2"),
      ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% else %}E{% endfor %}", "1"),
    ])
  func iterators(_ source: String, _ expected: String) throws { #expect(try text(source) == expected) }

  @Test(
    "Errors name the line of the template",
    arguments: [("a\n\n{{ nope.x }}", 3), ("{% if 1 %}\n{{ 1 +", 2), ("\n{% for x in 5 %}{% endfor %}", 2)])
  func lines(_ source: String, _ line: Int) throws {
    let error = #expect(throws: TemplateError.self) { try text(source) }
    #expect(error?.line == line)
  }

  @Test("generation blocks say what they wrote") func generated() throws {
    let rendering = try Template("é{% for x in 'ab' %}{% generation %}<{{ x }}>{% endgeneration %}.{% endfor %}")
      .render([])
    #expect(rendering.text.string == "é<a>.<b>.")
    #expect(rendering.generated == [1..<4, 5..<8])
  }

  @Test(
    "What would take too long, too deep, or too much is refused",
    arguments: [
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{{ 'a' * 1000000000000 }}", "{{ [0] * 1000000000000 }}", "{{ 10 ** (10 ** 10) }}", "{{ '%999999999d' % 1 }}",
      "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{{ 'a' | indent(1000000000) }}", "{{ 'a'.ljust(1000000000) }}", "{{ ('a' * 99999).replace('a', 'b' * 99999) }}",
      "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = ns.l | map('string') %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(9999) %}{% set ns.l = ns.l | batch(1) | list %}{% endfor %}",
      "{% set ns = namespace(l=1) %}{% for i in range(9999) %}{% set ns.l = joiner(ns.l) %}{% endfor %}",
      String(repeating: "(", count: 5000), String(repeating: "{% if 1 %}", count: 5000),
      "{{ " + String(repeating: "1 + ", count: 5000) + "1 }}", "{{ " + String(repeating: "-", count: 5000) + "1 }}",
      "{{ x" + String(repeating: ".a", count: 5000) + " }}", "{{ " + String(repeating: "[", count: 5000),
    ])
  func limits(_ source: String) throws {
    let source = source.hasPrefix("(") ? "{{ " + source : source
    let error = #expect(throws: TemplateError.self) {
      try Template(source).render([], limits: Limits(steps: 200_000, size: 1 << 20))
    }
    #expect(error?.kind == .limit, "\(error.map { "\($0)" } ?? "")")
  }
}
