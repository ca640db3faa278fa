using System.Reflection.Metadata;

namespace NativeHeap.Managed;

/// <summary>
/// Finds the method that an author wrote for a state machine that the compiler made of it: by the PDB's own table where
/// there is one, else by the attribute that the compiler put on the method.
/// </summary>
internal sealed class StateMachines(MetadataReader reader)
{
    private static readonly string[] Attributes =
        ["AsyncStateMachineAttribute", "IteratorStateMachineAttribute", "AsyncIteratorStateMachineAttribute"];

    // By the type that has the methods: state machine's name → method.
    private readonly Dictionary<TypeDefinitionHandle, Dictionary<string, MethodDefinitionHandle>> _known = [];

    /// <summary>The method whose work a state machine's does; null when it is no such method.</summary>
    /// <exception cref="BadImageFormatException">The metadata is damaged.</exception>
    internal MethodDefinitionHandle? FindOriginal(MethodDefinitionHandle method, MetadataReader? pdb)
    {
        var definition = reader.GetMethodDefinition(method);
        if (!reader.StringComparer.Equals(definition.Name, "MoveNext"))
        {
            return null;
        }

        if (pdb is not null
            && pdb.GetMethodDebugInformation(method.ToDebugInformationHandle()).GetStateMachineKickoffMethod()
                is { IsNil: false } original)
        {
            return original;
        }

        var type = reader.GetTypeDefinition(definition.GetDeclaringType());
        var outer = type.GetDeclaringType();
        if (outer.IsNil)
        {
            return null;
        }

        if (!_known.TryGetValue(outer, out var methods))
        {
            methods = Read(outer);
            _known.Add(outer, methods);
        }

        return methods.TryGetValue(reader.GetString(type.Name), out var found) ? found : null;
    }

    private Dictionary<string, MethodDefinitionHandle> Read(TypeDefinitionHandle outer)
    {
        var methods = new Dictionary<string, MethodDefinitionHandle>(StringComparer.Ordinal);
        foreach (var handle in reader.GetTypeDefinition(outer).GetMethods())
        {
            foreach (var attribute in reader.GetMethodDefinition(handle).GetCustomAttributes())
            {
                if (NameOf(reader.GetCustomAttribute(attribute)) is { } machine)
                {
                    methods.TryAdd(machine, handle);
                }
            }
        }

        return methods;
    }

    // The attribute's one argument is the machine's type, as text (ECMA-335 II.23.3).
    private string? NameOf(CustomAttribute attribute)
    {
        if (attribute.Constructor.Kind != HandleKind.MemberReference && attribute.Constructor.Kind != HandleKind.MethodDefinition)
        {
            return null;
        }

        var name = TypeNameOf(attribute.Constructor);
        if (Array.IndexOf(Attributes, name) < 0)
        {
            return null;
        }

        var value = reader.GetBlobReader(attribute.Value);
        const ushort prolog = 1;
        return value.ReadUInt16() == prolog && value.ReadSerializedString() is { } text ? Innermost(text) : null;
    }

    private string TypeNameOf(EntityHandle constructor)
    {
        var type = constructor.Kind == HandleKind.MemberReference
            ? reader.GetMemberReference((MemberReferenceHandle)constructor).Parent
            : (EntityHandle)reader.GetMethodDefinition((MethodDefinitionHandle)constructor).GetDeclaringType();
        return type.Kind switch
        {
            HandleKind.TypeReference => reader.GetString(reader.GetTypeReference((TypeReferenceHandle)type).Name),
            HandleKind.TypeDefinition => reader.GetString(reader.GetTypeDefinition((TypeDefinitionHandle)type).Name),
            _ => "",
        };
    }

    // The last of Outer+Inner, before an assembly's name; \ stands before characters that mean themselves.
    private static string Innermost(string text)
    {
        var name = new List<char>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\' when i + 1 < text.Length:
                    name.Add(text[++i]);
                    break;
                case '+':
                    name.Clear();
                    break;
                case ',':
                    return new string([.. name]);
                default:
                    name.Add(text[i]);
                    break;
            }
        }

        return new string([.. name]);
    }
}
