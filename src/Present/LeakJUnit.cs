using System.Globalization;
using System.Text;
using System.Xml;
using NativeHeap.Analysis;
using NativeHeap.Graph;

namespace NativeHeap.Present;

/// <summary>Heap-checks as JUnit XML, in the form that Jenkins, GitLab and their like read: a suite for each process, a test
/// for each leak, and one that passes where there are none.</summary>
public static class LeakJUnit
{
    /// <summary>Writes a document.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="checks">The checks of all processes.</param>
    /// <param name="shown">Kinds of leaks that are tests.</param>
    /// <param name="failures">Kinds whose tests have failed.</param>
    public static void Write(
        Stream output, IReadOnlyList<LeakCheck> checks, IReadOnlySet<LeakKind> shown, IReadOnlySet<LeakKind> failures)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(checks);
        var settings = new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(false), CloseOutput = false };
        using var xml = XmlWriter.Create(output, settings);
        var suites = checks.Select(check => (
            Check: check, Leaks: check.Leaks.Where(leak => shown.Contains(leak.Kind) || failures.Contains(leak.Kind)).ToList())).ToList();
        xml.WriteStartElement("testsuites");
        xml.WriteAttributeString("name", "nativeheap check");
        Count(xml, "tests", suites.Sum(suite => Tests(suite.Leaks)));
        Count(xml, "failures", suites.Sum(suite => Failures(suite.Leaks, failures)));
        Count(xml, "errors", suites.Count(suite => !suite.Check.IsComplete));
        foreach (var (check, leaks) in suites)
        {
            WriteSuite(xml, check, leaks, failures);
        }

        xml.WriteEndElement();
    }

    // One that says that there are no leaks, or that nobody knows.
    private static int Tests(List<Leak> leaks) => leaks.Count + 1;

    private static int Failures(List<Leak> leaks, IReadOnlySet<LeakKind> failures) =>
        leaks.Count(leak => failures.Contains(leak.Kind));

    private static void WriteSuite(XmlWriter xml, LeakCheck check, List<Leak> leaks, IReadOnlySet<LeakKind> failures)
    {
        xml.WriteStartElement("testsuite");
        Text(xml, "name", $"{check.Process.Command} ({check.Process.Pid.ToString(CultureInfo.InvariantCulture)})");
        Count(xml, "tests", Tests(leaks));
        Count(xml, "failures", Failures(leaks, failures));
        Count(xml, "errors", check.IsComplete ? 0 : 1);
        WriteCase(xml, "heap-check at level " + check.Level, () =>
        {
            if (!check.IsComplete)
            {
                Problem(xml, "error", "incomplete", string.Join("; ", check.Notes), "");
            }
        });
        foreach (var leak in leaks)
        {
            var name = string.Create(
                CultureInfo.InvariantCulture,
                $"{leak.Own.Bytes} bytes in {Words.Count(leak.Own.Blocks, "block")} {LeakWords.Of(leak.Kind)}: {Allocator(leak)}");
            WriteCase(xml, name, () =>
            {
                if (failures.Contains(leak.Kind))
                {
                    Problem(xml, "failure", LeakWords.Of(leak.Kind), name, Frames(leak));
                }
                else
                {
                    xml.WriteElementString("system-out", Clean(Frames(leak)));
                }
            });
        }

        xml.WriteEndElement();
    }

    private static void WriteCase(XmlWriter xml, string name, Action content)
    {
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("classname", "nativeheap.check");
        Text(xml, "name", name);
        Count(xml, "time", 0);
        content();
        xml.WriteEndElement();
    }

    private static void Problem(XmlWriter xml, string element, string type, string message, string text)
    {
        xml.WriteStartElement(element);
        xml.WriteAttributeString("type", type);
        Text(xml, "message", message);
        xml.WriteString(Clean(text));
        xml.WriteEndElement();
    }

    private static string Allocator(Leak leak) =>
        leak.Stack.Frames.FirstOrDefault(frame => frame.Marker is null) is { } frame ? StackText.Name(frame) : "?";

    private static string Frames(Leak leak)
    {
        var text = new StringWriter();
        StackText.WriteFrames(new TextCanvas(text, null, false), leak.Stack);
        return text.ToString();
    }

    private static void Count(XmlWriter xml, string name, int count) =>
        xml.WriteAttributeString(name, count.ToString(CultureInfo.InvariantCulture));

    private static void Text(XmlWriter xml, string name, string text) => xml.WriteAttributeString(name, Clean(text));

    // XML has no way to write most control characters, and half a surrogate is no character.
    private static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var isAllowed = rune.Value is '\t' or '\n' || (rune.Value >= ' ' && rune.Value is not (0xFFFE or 0xFFFF));
            clean.Append(isAllowed ? rune : Rune.ReplacementChar);
        }

        return clean.ToString();
    }
}
