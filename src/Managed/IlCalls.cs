using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace NativeHeap.Managed;

/// <summary>A call in a method's IL.</summary>
/// <param name="Offset">Of the instruction.</param>
/// <param name="Name">Of what is called; empty for a call by a pointer.</param>
/// <param name="Type">Simple name of the type that has it; empty when unknown.</param>
/// <param name="Token">Its token when it is a method of the same assembly, else 0.</param>
/// <param name="IsVirtual">What runs may be another method of that name.</param>
/// <param name="IsNative">It may be native code that runs.</param>
internal readonly record struct IlCall(
    int Offset, string Name, string Type, int Token, bool IsVirtual, bool IsNative);

/// <summary>Reads the calls of IL (ECMA-335 III; operand sizes by System.Reflection.Emit's table of instructions).</summary>
internal static class IlCalls
{
    private const int LongOpcode = 0xFE;
    private const int MostCalls = 1 << 16;

    // By an instruction's last byte; those of two bytes begin with 0xFE.
    private static readonly OperandType?[] s_short = Operands(1);
    private static readonly OperandType?[] s_long = Operands(2);

    /// <summary>Calls in the order of the IL.</summary>
    /// <exception cref="BadImageFormatException">It is no IL.</exception>
    internal static List<IlCall> Read(MetadataReader metadata, ImmutableArray<byte> il)
    {
        const byte call = 0x28, calli = 0x29, callvirt = 0x6F, newobj = 0x73;
        var calls = new List<IlCall>();
        for (var at = 0; at < il.Length && calls.Count < MostCalls;)
        {
            var start = at;
            var first = il[at++];
            var operand = first == LongOpcode && at < il.Length ? s_long[il[at++]] : s_short[first];
            var size = OperandSize(operand, il, at);
            if (size < 0 || size > il.Length - at)
            {
                throw new BadImageFormatException("an instruction's operand ends behind its method");
            }

            if (first is call or callvirt or newobj)
            {
                calls.Add(Describe(metadata, start, BitConverter.ToInt32(il.AsSpan(at, 4)), first == callvirt));
            }
            else if (first == calli)
            {
                calls.Add(new IlCall(start, "", "", 0, IsVirtual: false, IsNative: true));
            }

            at += size;
        }

        return calls;
    }

    private static OperandType?[] Operands(int opcodeBytes)
    {
        var operands = new OperandType?[256];
        foreach (var field in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            if (field.GetValue(null) is OpCode code && code.Size == opcodeBytes)
            {
                operands[code.Value & 0xFF] = code.OperandType;
            }
        }

        return operands;
    }

    private static int OperandSize(OperandType? type, ImmutableArray<byte> il, int at) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        OperandType.InlineSwitch when at + 4 <= il.Length && BitConverter.ToUInt32(il.AsSpan(at, 4)) is <= 1 << 24 and var count =>
            4 + (4 * (int)count),
        OperandType.InlineSwitch or null => -1,
        _ => 4,
    };

    private static IlCall Describe(MetadataReader metadata, int offset, int token, bool isVirtual)
    {
        var handle = MetadataTokens.EntityHandle(token);
        if (handle.Kind == HandleKind.MethodSpecification)
        {
            handle = metadata.GetMethodSpecification((MethodSpecificationHandle)handle).Method;
        }

        switch (handle.Kind)
        {
            case HandleKind.MethodDefinition:
                var method = metadata.GetMethodDefinition((MethodDefinitionHandle)handle);
                return new IlCall(
                    offset,
                    metadata.GetString(method.Name),
                    TypeName(metadata, method.GetDeclaringType()),
                    MetadataTokens.GetToken(handle),
                    isVirtual && (method.Attributes & MethodAttributes.Virtual) != 0,
                    (method.Attributes & MethodAttributes.PinvokeImpl) != 0);
            case HandleKind.MemberReference:
                var member = metadata.GetMemberReference((MemberReferenceHandle)handle);
                return new IlCall(
                    offset, metadata.GetString(member.Name), TypeName(metadata, member.Parent), 0, isVirtual, IsNative: false);
            default:
                throw new BadImageFormatException("what is called is no method");
        }
    }

    // Of an instantiated type nothing is said.
    private static string TypeName(MetadataReader metadata, EntityHandle type) => type.Kind switch
    {
        HandleKind.TypeDefinition => metadata.GetString(metadata.GetTypeDefinition((TypeDefinitionHandle)type).Name),
        HandleKind.TypeReference => metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)type).Name),
        _ => "",
    };
}
