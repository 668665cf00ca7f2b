using System.Text.Json.Serialization;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Leases;

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
[JsonSerializable(typeof(DrillReport))]
[JsonSerializable(typeof(RecoveryMark))]
[JsonSerializable(typeof(BegunRun))]
[JsonSerializable(typeof(DoneStep))]
[JsonSerializable(typeof(EndedRun))]
[JsonSerializable(typeof(RecoveryReport))]
[JsonSerializable(typeof(ProcessIdentity))]
internal sealed partial class RecoveryJson : JsonSerializerContext;
