using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Trace;

namespace NativeHeap.Present;

/// <summary>Writes what a query gives: as a table for people, as CSV (RFC 4180), or as JSON.</summary>
public static class QueryOutput
{
    private const int FlushBytes = 1 << 16;

    /// <summary>A table with a heading; figures are right-aligned. Holds all rows in memory.</summary>
    public static void WriteTable(TextCanvas canvas, TraceQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        var rows = new List<string[]>();
        var areFigures = new bool[query.Columns.Count];
        Array.Fill(areFigures, true);
        while (query.Next())
        {
            var cells = new string[areFigures.Length];
            for (var i = 0; i < cells.Length; i++)
            {
                var value = query.Value(i);
                areFigures[i] &= value is long or double or null;
                cells[i] = Words.Printable(Text(value));
            }

            rows.Add(cells);
        }

        var table = new TextTable(LastColumn.Fold, areFigures);
        table.AddFaint([.. query.Columns.Select(Words.Printable)]);
        rows.ForEach(table.Add);
        table.Write(canvas);
    }

    /// <summary>A line of names, then one a row; null is empty.</summary>
    public static void WriteCsv(TextWriter output, TraceQuery query)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(query);
        output.Write(string.Join(',', query.Columns.Select(Quote)) + "\r\n");
        while (query.Next())
        {
            output.Write(string.Join(',', query.Columns.Select((_, i) => Quote(Text(query.Value(i))))) + "\r\n");
        }
    }

    /// <summary>One document, schema <c>nativeheap.sql/1</c>: the columns' names, and each row as an array.</summary>
    public static void WriteJson(Stream output, TraceQuery query)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(query);
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.sql/1");
            json.WriteStartArray("columns");
            foreach (var column in query.Columns)
            {
                json.WriteStringValue(column);
            }

            json.WriteEndArray();
            json.WriteStartArray("rows");
            while (query.Next())
            {
                WriteRow(json, query);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        output.Flush();
    }

    private static void WriteRow(Utf8JsonWriter json, TraceQuery query)
    {
        json.WriteStartArray();
        for (var i = 0; i < query.Columns.Count; i++)
        {
            switch (query.Value(i))
            {
                case long number: json.WriteNumberValue(number); break;
                case double number when double.IsFinite(number): json.WriteNumberValue(number); break;
                case string text: json.WriteStringValue(text); break;
                case byte[] bytes: json.WriteStringValue(Convert.ToHexStringLower(bytes)); break;
                default: json.WriteNullValue(); break;
            }
        }

        json.WriteEndArray();
        if (json.BytesPending > FlushBytes)
        {
            json.Flush();
        }
    }

    private static string Text(object? value) => value switch
    {
        null => "",
        byte[] bytes => Convert.ToHexStringLower(bytes),
        IFormattable figure => figure.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static string Quote(string text) =>
        text.AsSpan().IndexOfAny("\",\r\n") < 0 ? text : "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
