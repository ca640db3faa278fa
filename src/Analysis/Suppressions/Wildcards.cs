namespace NativeHeap.Analysis.Suppressions;

/// <summary>Patterns with <c>*</c> for any text and, where wanted, <c>?</c> for one character.</summary>
internal static class Wildcards
{
    /// <summary>Whether a pattern covers all of a text. Takes at most the product of both lengths.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="text">The text.</param>
    /// <param name="hasSingle">Whether <c>?</c> stands for one character.</param>
    public static bool Match(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text, bool hasSingle)
    {
        int at = 0, place = 0, star = -1, resume = 0;
        while (place < text.Length)
        {
            if (at < pattern.Length && pattern[at] == '*')
            {
                star = at++;
                resume = place;
            }
            else if (at < pattern.Length && (pattern[at] == text[place] || (hasSingle && pattern[at] == '?')))
            {
                at++;
                place++;
            }
            else if (star >= 0)
            {
                at = star + 1;
                place = ++resume; // the last star takes one character more
            }
            else
            {
                return false;
            }
        }

        return pattern[at..].Trim('*').IsEmpty;
    }
}
