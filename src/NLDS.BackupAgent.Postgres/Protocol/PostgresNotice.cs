using System.Text;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What an ErrorResponse or NoticeResponse says. The fields are PostgreSQL's; those that it left out are null.</summary>
internal sealed record PostgresNotice(string Severity, string SqlState, string Message, string? Detail, string? Hint)
{
    /// <summary>The server ends the connection after a FATAL or PANIC; no ReadyForQuery follows.</summary>
    public bool EndsConnection => Severity is "FATAL" or "PANIC";

    /// <summary>Reads the body: fields of one type byte and a terminated string each, closed by a zero byte.</summary>
    public static PostgresNotice Parse(ReadOnlySpan<byte> body)
    {
        string severity = "ERROR", state = "XX000", message = "The server gave no message.";
        string? detail = null, hint = null;
        var fields = new BodyReader(body);
        while (!fields.IsAtEnd && fields.Byte() is not 0 and var type)
        {
            var text = fields.CString();
            switch (type)
            {
                case (byte)'V': // severity, never translated; comes after 'S', which may be
                    severity = text;
                    break;
                case (byte)'C': // SQLSTATE
                    state = text;
                    break;
                case (byte)'M': // primary message
                    message = text;
                    break;
                case (byte)'D': // detail
                    detail = text;
                    break;
                case (byte)'H': // hint
                    hint = text;
                    break;
            }
        }

        return new PostgresNotice(severity, state, message, detail, hint);
    }

    public override string ToString()
    {
        var text = new StringBuilder($"{Severity} {SqlState}: {Message}");
        if (Detail is not null)
        {
            text.Append(" DETAIL: ").Append(Detail);
        }

        if (Hint is not null)
        {
            text.Append(" HINT: ").Append(Hint);
        }

        return text.ToString();
    }
}
