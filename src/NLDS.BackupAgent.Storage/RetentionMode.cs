namespace NLDS.BackupAgent.Storage;

/// <summary>Who may lift a lock before its time (S3 User Guide, "Object Lock retention modes").</summary>
public enum RetentionMode
{
    /// <summary>Nothing is locked.</summary>
    None,

    /// <summary>Those with the right s3:BypassGovernanceRetention.</summary>
    Governance,

    /// <summary>Nobody, the account's owner included.</summary>
    Compliance,
}
