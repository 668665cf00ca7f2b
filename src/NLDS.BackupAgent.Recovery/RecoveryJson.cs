using System.Text.Json.Serialization;
using NLDS.BackupAgent.Recovery.Bootstrap;

namespace NLDS.BackupAgent.Recovery;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(StandingRequest))]
[JsonSerializable(typeof(BegunRequest))]
[JsonSerializable(typeof(EndedRequest))]
[JsonSerializable(typeof(RequestProgress))]
internal sealed partial class RecoveryJson : JsonSerializerContext;
