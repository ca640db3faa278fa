using System.Text.Encodings.Web;
using System.Text.Json;
using NativeHeap.Collect.Launching;

namespace NativeHeap.Cli;

/// <summary>Doctor's findings as JSON, schema <c>nativeheap.doctor/1</c>.</summary>
internal static class DoctorJson
{
    /// <summary>Writes one document and a newline.</summary>
    public static void Write(Stream output, DoctorReport report)
    {
        var options = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(output, options))
        {
            json.WriteStartObject();
            json.WriteString("schema", "nativeheap.doctor/1");
            json.WriteBoolean("works", report.Works);
            WriteFindings(json, report);
            WriteProcess(json, report);
            WriteSettings(json);
            json.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
    }

    private static void WriteFindings(Utf8JsonWriter json, DoctorReport report)
    {
        json.WriteStartArray("findings");
        foreach (var finding in report.Findings)
        {
            json.WriteStartObject();
            json.WriteString("name", finding.Name);
            json.WriteString("state", finding.State.ToString().ToLowerInvariant());
            json.WriteString("detail", finding.Detail);
            json.WriteString("cure", finding.Cure);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteProcess(Utf8JsonWriter json, DoctorReport report)
    {
        if (report.Process is not { } process)
        {
            json.WriteNull("process");
            return;
        }

        json.WriteStartObject("process");
        json.WriteNumber("pid", process.Pid);
        json.WriteString("command", process.Command);
        json.WriteBoolean("shim_loaded", process.HasShim);
        json.WriteBoolean("recorded", process.IsRecorded);
        json.WriteString("detail", process.Detail);
        json.WriteBoolean("can_attach", process.CanAttach);
        json.WriteString("attaching", process.Attaching);
        json.WriteEndObject();
    }

    private static void WriteSettings(Utf8JsonWriter json)
    {
        json.WriteStartArray("settings");
        foreach (var setting in ShimSettingTable.All)
        {
            json.WriteStartObject();
            json.WriteString("name", setting.Name);
            json.WriteString("meaning", setting.Meaning);
            json.WriteString("default", setting.Default);
            json.WriteString("value", Environment.GetEnvironmentVariable(setting.Name));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
