using CsCheck;

namespace NativeHeap.Present.Tests;

public sealed class TextCanvasTests
{
    private static string Fold(string text, int? width)
    {
        using var output = new StringWriter();
        new TextCanvas(output, width, colour: false).Line(text);
        return output.ToString();
    }

    [Fact]
    public void Lines_are_folded_between_words_and_indented_below()
    {
        Assert.Equal(
            "  the quick brown fox jumps over the\n      lazy dog\n",
            Fold("  the quick brown fox jumps over the lazy dog", 40));
    }

    [Fact]
    public void Names_without_spaces_are_folded_at_their_parts()
    {
        Assert.Equal(
            "std::__cxx11::basic_string<char>::\n    operator_and_more_of_it()\n",
            Fold("std::__cxx11::basic_string<char>::operator_and_more_of_it()", 40));
    }

    [Fact]
    public void Without_a_width_nothing_is_folded()
    {
        var line = string.Join(' ', Enumerable.Repeat("word", 1000));
        Assert.Equal(line + "\n", Fold(line, null));
    }

    [Fact]
    public void Folding_loses_nothing_but_spaces_and_comes_to_an_end_at_any_width()
    {
        Gen.Select(Gen.String[Gen.Char[" ab:<(,xyz"], 0, 300], Gen.Int[1, 90]).Sample((text, width) =>
        {
            var folded = Fold(text, width);
            Assert.Equal(Bare(text), Bare(folded));
            Assert.All(folded.Split('\n'), line => Assert.InRange(line.Length, 0, Math.Max(width, 40)));
        });

        static string Bare(string text) => text.Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal);
    }
}
