using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Storage.S3;

/// <summary>
/// What is known of the store's <c>If-None-Match: *</c>. Some stores refuse the header and some ignore it in silence, which is worse:
/// so until a put has been refused once, it is not relied on.
/// </summary>
internal sealed partial class S3ConditionalPuts(ConditionalPut mode, string description, ILogger logger)
{
    private volatile Knowledge knowledge = mode switch
    {
        ConditionalPut.On => Knowledge.Honoured,
        ConditionalPut.Off => Knowledge.Useless,
        _ => Knowledge.Unknown,
    };

    private enum Knowledge
    {
        Unknown,
        Honoured,
        Useless,
    }

    public bool AreHonoured => knowledge == Knowledge.Honoured;

    public bool AreUseless => knowledge == Knowledge.Useless;

    public void Confirm()
    {
        if (knowledge == Knowledge.Unknown)
        {
            knowledge = Knowledge.Honoured;
        }
    }

    public void GiveUp(string because)
    {
        if (knowledge == Knowledge.Unknown)
        {
            knowledge = Knowledge.Useless;
            LogUseless(description, because);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Store} {Because} If-None-Match, so it cannot guard a name against two writers at the same moment. "
        + "Run only one agent on this store; set Storage:S3:ConditionalPut to Off to say that you know.")]
    private partial void LogUseless(string store, string because);
}
