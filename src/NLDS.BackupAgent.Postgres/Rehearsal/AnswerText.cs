using System.Globalization;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>The one value of an answer as text, the same for the original and a copy.</summary>
internal static class AnswerText
{
    public static string? Of(object? value) => value switch
    {
        null or DBNull => null,
        DateTime time => new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc)).ToString("O", CultureInfo.InvariantCulture),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };
}
