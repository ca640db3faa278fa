using System.Reflection;
using System.Reflection.Metadata;

namespace NativeHeap.Managed;

/// <summary>Writes methods as <c>Namespace.Type.Method(Parameters)</c>, by their metadata.</summary>
internal static class MethodText
{
    private const int MostNested = 64;

    /// <exception cref="BadImageFormatException">The metadata is damaged.</exception>
    internal static string Describe(MetadataReader reader, MethodDefinitionHandle handle)
    {
        var method = reader.GetMethodDefinition(handle);
        var own = NamesOf(reader, method.GetGenericParameters());
        var type = method.GetDeclaringType();
        var outer = NamesOf(reader, reader.GetTypeDefinition(type).GetGenericParameters());
        var signature = method.DecodeSignature(SignatureText.Instance, new GenericNames(outer, own));
        var parameters = signature.ParameterTypes.ToArray();
        MarkOutputs(reader, method, parameters);
        var name = CompilerName.Readable(reader.GetString(method.Name));
        // What a local function captures comes to it by parameters that nobody wrote.
        var written = parameters.Where(parameter => !CompilerName.IsClosure(parameter[(parameter.IndexOf(' ') + 1)..]));
        var arguments = own.Count == 0 ? "" : $"<{string.Join(", ", own)}>";
        return $"{TypeName(reader, type)}.{name}{arguments}({string.Join(", ", written)})";
    }

    // Outer.Inner<T>; types that the compiler made for closures are left out.
    private static string TypeName(MetadataReader reader, TypeDefinitionHandle handle)
    {
        var parts = new List<string>();
        var space = "";
        for (var i = 0; !handle.IsNil && i < MostNested; i++)
        {
            var type = reader.GetTypeDefinition(handle);
            var name = reader.GetString(type.Name);
            var outer = type.GetDeclaringType();
            if (outer.IsNil || !CompilerName.IsClosure(name))
            {
                parts.Insert(0, OwnName(reader, type, name, outer));
            }

            space = reader.GetString(type.Namespace);
            handle = outer;
        }

        var full = string.Join('.', parts);
        return space.Length == 0 ? full : $"{space}.{full}";
    }

    // A nested type repeats the parameters of those around it (ECMA-335 II.22.20).
    private static string OwnName(
        MetadataReader reader, TypeDefinition type, string name, TypeDefinitionHandle outer)
    {
        var all = NamesOf(reader, type.GetGenericParameters());
        var inherited = outer.IsNil ? 0 : reader.GetTypeDefinition(outer).GetGenericParameters().Count;
        var plain = SignatureText.WithoutArity(name);
        return all.Count <= inherited ? plain : $"{plain}<{string.Join(", ", all.Skip(inherited))}>";
    }

    private static List<string> NamesOf(MetadataReader reader, GenericParameterHandleCollection parameters) =>
        [.. parameters.Select(handle => reader.GetString(reader.GetGenericParameter(handle).Name))];

    private static void MarkOutputs(MetadataReader reader, MethodDefinition method, string[] parameters)
    {
        foreach (var handle in method.GetParameters())
        {
            var parameter = reader.GetParameter(handle);
            var index = parameter.SequenceNumber - 1; // 0 is what the method returns
            if (index >= 0 && index < parameters.Length && parameters[index].StartsWith("ref ", StringComparison.Ordinal))
            {
                var word = parameter.Attributes & (ParameterAttributes.In | ParameterAttributes.Out);
                parameters[index] = word switch
                {
                    ParameterAttributes.Out => "out",
                    ParameterAttributes.In => "in",
                    _ => "ref",
                } + parameters[index][3..];
            }
        }
    }
}
